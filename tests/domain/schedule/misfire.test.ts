import { describe, expect, it } from 'vitest';
import {
  decideDueSlots,
  type DueDecision,
  type DueJob,
  MAX_COUNTED_SLOTS,
} from '../../../src/domain/schedule/misfire.ts';
import { slotsAfter, type SlotRule } from '../../../src/domain/schedule/schedule-slots.ts';
import { ruleFor } from './schedule-support.ts';

const HOUR_MS = 3_600_000;

function dueJob(
  text: string,
  nextRunAt: string,
  parts: Partial<DueJob> = {},
  window: Partial<SlotRule> = {},
): DueJob {
  const rule = ruleFor(text, 'UTC', window);
  return {
    misfirePolicy: 'RUN_ONCE',
    misfireGraceMs: 60_000,
    nextRunAt: new Date(nextRunAt),
    slotsAfter: (after) => slotsAfter(rule, after),
    ...parts,
  };
}

function decide(job: DueJob, now: string, maxRuns?: number): DueDecision {
  return decideDueSlots(job, new Date(now), maxRuns);
}

/** Runs as `12:00:00 SCHEDULE` or `12:00:00 CATCH_UP for 3`. */
function runsOf({ runs }: DueDecision): string[] {
  return runs.map(({ scheduledAt, trigger, standsFor }) => {
    const time = scheduledAt.toISOString().slice(11, 19);
    return `${time} ${trigger}${standsFor === 1 ? '' : ` for ${standsFor}`}`;
  });
}

/** Skipped slots as `12:00:00 to 12:05:00: 6`. */
function skippedOf({ skipped }: DueDecision): string | null {
  if (skipped === null) return null;
  const [first, last] = [skipped.firstAt, skipped.lastAt].map((at) => at.toISOString().slice(11, 19));
  return `${first} to ${last}: ${skipped.count}`;
}

describe('a slot that is on time', () => {
  it('runs as planned', () => {
    const decision = decide(dueJob('@hourly', '2026-09-01T12:00:00Z'), '2026-09-01T12:00:00.004Z');
    expect(decision).toEqual({
      runs: [{ scheduledAt: new Date('2026-09-01T12:00:00Z'), trigger: 'SCHEDULE', standsFor: 1 }],
      skipped: null,
      countIsExact: true,
      cappedAt: null,
      plannedUntil: new Date('2026-09-01T12:00:00.004Z'),
    });
  });

  it('is on time to the last millisecond of the grace', () => {
    const job = dueJob('@hourly', '2026-09-01T12:00:00Z');
    expect(runsOf(decide(job, '2026-09-01T12:01:00.000Z'))).toEqual(['12:00:00 SCHEDULE']);
    expect(runsOf(decide(job, '2026-09-01T12:01:00.001Z'))).toEqual(['12:00:00 CATCH_UP']);
  });

  it('runs with the others of a planner that was a few seconds late', () => {
    const decision = decide(dueJob('* * * * * *', '2026-09-01T12:00:00Z'), '2026-09-01T12:00:03.500Z');
    expect(runsOf(decision)).toEqual([0, 1, 2, 3].map((second) => `12:00:0${second} SCHEDULE`));
  });

  it('has no grace at all when the grace is 0', () => {
    const job = dueJob('@hourly', '2026-09-01T12:00:00Z', { misfireGraceMs: 0 });
    expect(runsOf(decide(job, '2026-09-01T12:00:00.000Z'))).toEqual(['12:00:00 SCHEDULE']);
    expect(runsOf(decide(job, '2026-09-01T12:00:00.001Z'))).toEqual(['12:00:00 CATCH_UP']);
  });

  it('waits for the next decision when one would contain too many', () => {
    const job = dueJob('* * * * * *', '2026-09-01T12:00:00Z');
    const decision = decide(job, '2026-09-01T12:00:30Z', 10);
    expect(runsOf(decision)).toHaveLength(10);
    expect(decision.plannedUntil).toEqual(new Date('2026-09-01T12:00:09Z'));
  });
});

describe('nothing', () => {
  it('is decided before the slot is due', () => {
    const decision = decide(dueJob('@hourly', '2026-09-01T12:00:00Z'), '2026-09-01T11:59:59.999Z');
    expect(decision.runs).toEqual([]);
    expect(decision.skipped).toBeNull();
  });
});

describe('RUN_ONCE', () => {
  it('runs the latest missed slot for all of them', () => {
    const decision = decide(dueJob('@hourly', '2026-09-01T06:00:00Z'), '2026-09-01T11:30:00Z');
    expect(runsOf(decision)).toEqual(['11:00:00 CATCH_UP for 6']);
    expect(skippedOf(decision)).toBe('06:00:00 to 10:00:00: 5');
  });

  it('runs a single missed slot without recording a skipped one', () => {
    const decision = decide(dueJob('@hourly', '2026-09-01T11:00:00Z'), '2026-09-01T11:30:00Z');
    expect(runsOf(decision)).toEqual(['11:00:00 CATCH_UP']);
    expect(skippedOf(decision)).toBeNull();
  });

  it('runs it before slots that are on time again', () => {
    const decision = decide(dueJob('0 * * * * *', '2026-09-01T11:50:00Z'), '2026-09-01T12:00:10Z');
    expect(runsOf(decision)).toEqual(['11:59:00 CATCH_UP for 10', '12:00:00 SCHEDULE']);
    expect(skippedOf(decision)).toBe('11:50:00 to 11:58:00: 9');
  });

  it('counts six hours of every second', () => {
    const decision = decide(dueJob('* * * * * *', '2026-09-01T06:00:00Z'), '2026-09-01T12:01:00Z');
    expect(runsOf(decision)[0]).toBe('11:59:59 CATCH_UP for 21600');
    expect(runsOf(decision)).toHaveLength(1 + 61);
    expect(skippedOf(decision)).toBe('06:00:00 to 11:59:58: 21599');
    expect(decision.countIsExact).toBe(true);
  });

  it('counts "at least" about a year of every second, and still runs the latest', () => {
    const decision = decide(dueJob('* * * * * *', '2025-09-01T12:00:00Z'), '2026-09-01T12:01:00Z');
    expect(runsOf(decision)[0]).toBe(`11:59:59 CATCH_UP for ${MAX_COUNTED_SLOTS}`);
    expect(decision.skipped?.lastAt).toEqual(new Date('2026-09-01T11:59:58Z'));
    expect(decision.countIsExact).toBe(false);
  });

  it('finds the latest slot of a job whose window ended long ago', () => {
    const endAt = new Date('2025-09-02T12:00:00Z');
    const decision = decide(
      dueJob('* * * * * *', '2025-09-02T00:00:00Z', {}, { endAt }),
      '2026-09-01T12:00:00Z',
    );
    expect(decision.runs).toEqual([{ scheduledAt: endAt, trigger: 'CATCH_UP', standsFor: 43_201 }]);
  });
});

describe('RUN_ALL', () => {
  it('runs every missed slot, in order', () => {
    const job = dueJob('@hourly', '2026-09-01T08:00:00Z', { misfirePolicy: 'RUN_ALL' });
    const decision = decide(job, '2026-09-01T11:00:30Z');
    expect(runsOf(decision)).toEqual([
      '08:00:00 CATCH_UP',
      '09:00:00 CATCH_UP',
      '10:00:00 CATCH_UP',
      '11:00:00 SCHEDULE',
    ]);
    expect(skippedOf(decision)).toBeNull();
    expect(decision.cappedAt).toBeNull();
  });

  it('runs the latest up to its cap, and records the older ones as skipped', () => {
    const job = dueJob('* * * * * *', '2026-09-01T06:00:00Z', {
      misfirePolicy: 'RUN_ALL',
      misfireGraceMs: 0,
    });
    const decision = decide(job, '2026-09-01T12:00:00.500Z');
    expect(decision.cappedAt).toBe(1000);
    expect(decision.runs).toHaveLength(1000);
    expect(runsOf(decision)[0]).toBe('11:43:21 CATCH_UP');
    expect(runsOf(decision).at(-1)).toBe('12:00:00 CATCH_UP');
    expect(skippedOf(decision)).toBe('06:00:00 to 11:43:20: 20601');
  });
});

describe('SKIP', () => {
  it('runs no missed slot and records them as one range', () => {
    const job = dueJob('@hourly', '2026-09-01T06:00:00Z', { misfirePolicy: 'SKIP' });
    const decision = decide(job, '2026-09-01T11:00:30Z');
    expect(runsOf(decision)).toEqual(['11:00:00 SCHEDULE']);
    expect(skippedOf(decision)).toBe('06:00:00 to 10:00:00: 5');
    expect(decision.cappedAt).toBeNull();
  });

  it('records a single one', () => {
    const job = dueJob('@hourly', '2026-09-01T11:00:00Z', { misfirePolicy: 'SKIP' });
    expect(skippedOf(decide(job, '2026-09-01T11:30:00Z'))).toBe('11:00:00 to 11:00:00: 1');
  });
});

describe('a job whose slots have changed since its next run was planned', () => {
  it('uses the current slots', () => {
    const decision = decide(dueJob('0 30 * * * *', '2026-09-01T08:00:00Z'), '2026-09-01T10:00:00Z');
    expect(runsOf(decision)).toEqual(['09:30:00 CATCH_UP for 2']);
    expect(skippedOf(decision)).toBe('08:30:00 to 08:30:00: 1');
  });
});

describe('a sparse schedule with a long grace', () => {
  it('is neither missed nor counted', () => {
    const job = dueJob('@daily', '2026-09-01T00:00:00Z', { misfireGraceMs: 24 * HOUR_MS });
    expect(runsOf(decide(job, '2026-09-01T23:00:00Z'))).toEqual(['00:00:00 SCHEDULE']);
  });
});
