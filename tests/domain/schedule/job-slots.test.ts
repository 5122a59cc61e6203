import { describe, expect, it } from 'vitest';
import {
  firstRunAt,
  nextRunAfter,
  nextRunAfterChange,
  placeAmongSlots,
  slotRuleOf,
  upcomingRuns,
} from '../../../src/domain/schedule/job-slots.ts';

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
  it('count from startAt, else from its creation, when they have a fixed distance', () => {
    const every = { ...MINUTELY, schedule: '@every 90s' };
    expect(firstRunAt(every, NOW)).toEqual(new Date('2025-03-01T12:00:41.000Z'));
    const startAt = new Date('2025-03-01T12:00:00.000Z');
    expect(firstRunAt({ ...every, startAt }, NOW)).toEqual(new Date('2025-03-01T12:01:30.000Z'));
  });

  it('are empty without schedule and runAt', () => {
    expect(slotRuleOf({ ...MINUTELY, schedule: null })).toBeNull();
    expect(firstRunAt({ ...MINUTELY, schedule: null }, NOW)).toBeNull();
  });

  it('include a runAt in the past within the grace', () => {
    const once = (runAt: string) => ({ ...MINUTELY, schedule: null, runAt: new Date(runAt) });
    expect(firstRunAt(once('2025-03-01T11:59:30.000Z'), NOW)).toEqual(new Date('2025-03-01T11:59:30.000Z'));
    expect(firstRunAt(once('2025-03-01T11:59:29.999Z'), NOW)).toBeNull();
  });

  it('keep the due one after a change that still has it as a slot', () => {
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

  it('exclude skipped ones', () => {
    const skipped = [at('12:01:00'), at('12:03:00')];
    expect(upcomingRuns({ ...MINUTELY, status: 'ACTIVE' }, NOW, 2, skipped)).toEqual([
      at('12:02:00'),
      at('12:04:00'),
    ]);
    expect(nextRunAfter(MINUTELY, NOW, skipped)).toEqual(at('12:02:00'));
    const ending = { ...MINUTELY, endAt: at('12:01:30') };
    expect(nextRunAfter(ending, NOW, skipped)).toBeNull();
  });

  it.each([
    { asked: at('12:05:00'), isSlot: true, before: at('12:04:00'), after: at('12:06:00') },
    { asked: at('12:05:00', 1), isSlot: false, before: at('12:05:00'), after: at('12:06:00') },
    { asked: at('12:01:00'), isSlot: true, before: null, after: at('12:02:00') },
    { asked: at('13:00:00'), isSlot: true, before: at('12:59:00'), after: null },
    { asked: at('17:00:00'), isSlot: false, before: at('13:00:00'), after: null },
  ])('are found next to $asked', ({ asked, ...place }) => {
    expect(placeAmongSlots({ ...MINUTELY, endAt: at('13:00:00') }, asked, NOW)).toEqual(place);
  });
});

function at(time: string, ms = 0): Date {
  return new Date(new Date(`2025-03-01T${time}.000Z`).getTime() + ms);
}
