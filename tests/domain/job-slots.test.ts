import { describe, expect, it } from 'vitest';
import { firstRunAt, nextRunAfterChange, slotRuleOf, upcomingRuns } from '../../src/domain/job-slots.ts';

const NOW = new Date('2025-03-01T12:00:30.000Z');

const MINUTELY = {
  schedule: '0 * * * * *',
  timezone: 'UTC',
  runAt: null,
  startAt: null,
  endAt: null,
  dstGapPolicy: 'SHIFT',
  dstOverlapPolicy: 'FIRST',
  createdAt: new Date('2025-03-01T11:11:11.000Z'),
  misfireGraceMs: 60_000,
} as const;

describe('the slots of a job', () => {
  it('are counted from startAt, else from its creation, where they are a distance apart', () => {
    const every = { ...MINUTELY, schedule: '@every 90s' };
    expect(firstRunAt(every, NOW)).toEqual(new Date('2025-03-01T12:00:41.000Z'));
    const startAt = new Date('2025-03-01T12:00:00.000Z');
    expect(firstRunAt({ ...every, startAt }, NOW)).toEqual(new Date('2025-03-01T12:01:30.000Z'));
  });

  it('are none without schedule and runAt', () => {
    expect(slotRuleOf({ ...MINUTELY, schedule: null })).toBeNull();
    expect(firstRunAt({ ...MINUTELY, schedule: null }, NOW)).toBeNull();
  });

  it('include a runAt that is past by no more than the grace', () => {
    const once = (runAt: string) => ({ ...MINUTELY, schedule: null, runAt: new Date(runAt) });
    expect(firstRunAt(once('2025-03-01T11:59:30.000Z'), NOW)).toEqual(new Date('2025-03-01T11:59:30.000Z'));
    expect(firstRunAt(once('2025-03-01T11:59:29.999Z'), NOW)).toBeNull();
  });

  it('keep the one that is due through a change by which it stays a slot', () => {
    const due = { nextRunAt: new Date('2025-03-01T12:00:00.000Z') };
    expect(nextRunAfterChange(due, MINUTELY, NOW)).toEqual(due.nextRunAt);
    const moved = { ...MINUTELY, schedule: '45 * * * * *' };
    expect(nextRunAfterChange(due, moved, NOW)).toEqual(new Date('2025-03-01T12:00:45.000Z'));
    const ahead = { nextRunAt: new Date('2025-03-01T12:01:00.000Z') };
    expect(nextRunAfterChange(ahead, moved, NOW)).toEqual(new Date('2025-03-01T12:00:45.000Z'));
  });

  it('are shown for active jobs only', () => {
    expect(upcomingRuns({ ...MINUTELY, status: 'ACTIVE' }, NOW, 2)).toEqual([
      new Date('2025-03-01T12:01:00.000Z'),
      new Date('2025-03-01T12:02:00.000Z'),
    ]);
    expect(upcomingRuns({ ...MINUTELY, status: 'PAUSED' }, NOW, 2)).toEqual([]);
  });
});
