import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_LOAD } from '../../../src/domain/job/concurrency.ts';
import { planJob, type DueJob, type JobPlan } from '../../../src/domain/schedule/plan.ts';
import { slotExecutionId } from '../../../src/domain/schedule/slot-id.ts';

const START = new Date('2030-01-07T09:00:00.000Z');
const SECOND_MS = 1_000;

const everySecond: DueJob = {
  id: '01942e9c-0000-7000-8000-000000000001',
  schedule: '* * * * * *',
  timezone: 'UTC',
  runAt: null,
  startAt: null,
  endAt: null,
  createdAt: START,
  dstGapPolicy: 'SHIFT',
  dstOverlapPolicy: 'FIRST',
  jitterMs: 0,
  misfirePolicy: 'RUN_ALL',
  misfireGraceMs: 60_000,
  priority: 4,
  maxRetries: 2,
  concurrencyPolicy: 'ALLOW',
  maxConcurrency: null,
  nextRunAt: after(1),
  skipped: [],
  hasDependencies: false,
};

describe('the plan of a due job', () => {
  it('has an execution for the slot, under the id of the slot, and continues with the next', () => {
    expect(plan(everySecond, after(1))).toEqual({
      executions: [
        {
          id: slotExecutionId(everySecond.id, after(1)),
          jobId: everySecond.id,
          status: 'PENDING',
          trigger: 'SCHEDULE',
          scheduledAt: after(1),
          availableAt: after(1),
          priority: 4,
          maxAttempts: 3,
          slotCount: 1,
          skipReason: null,
          errorMessage: null,
        },
      ],
      move: { id: everySecond.id, nextRunAt: after(2), status: 'ACTIVE' },
      replacesUnfinished: false,
    });
  });

  it('has each slot once, and continues behind them, however often and late it is made', () => {
    const waits = fc.array(fc.integer({ min: 0, max: 90 * SECOND_MS }), { minLength: 1, maxLength: 8 });
    const graces = fc.integer({ min: 0, max: 60_000 });
    fc.assert(
      fc.property(waits, graces, (waitsMs, misfireGraceMs) => {
        let job = { ...everySecond, misfireGraceMs };
        let now = job.nextRunAt;
        const slots: number[] = [];
        for (const waitMs of waitsMs) {
          now = new Date(now.getTime() + waitMs);
          if (job.nextRunAt > now) continue;
          const { executions, move } = plan(job, now);
          slots.push(...executions.map((execution) => execution.scheduledAt.getTime()));
          job = { ...job, nextRunAt: move.nextRunAt ?? now };
          expect(job.nextRunAt > now).toBe(true);
        }
        const passed = Math.floor((now.getTime() - START.getTime()) / SECOND_MS);
        expect(slots).toEqual(Array.from({ length: passed }, (_, n) => after(n + 1).getTime()));
      }),
    );
  });

  it('counts each missed slot once, run or not, under every policy', () => {
    const policies = fc.constantFrom('RUN_ONCE', 'RUN_ALL', 'SKIP');
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 3_000 }), (misfirePolicy, seconds) => {
        const { executions } = plan({ ...everySecond, misfirePolicy, misfireGraceMs: 0 }, after(seconds));
        const skipped = executions.filter((execution) => execution.skipReason === 'MISFIRE');
        const ran = executions.filter((execution) => execution.skipReason === null);
        const missed = skipped.reduce((sum, { slotCount }) => sum + slotCount, 0);
        const onTime = ran.filter(({ trigger }) => trigger === 'SCHEDULE').length;
        const caughtUp = ran.filter(({ trigger }) => trigger === 'CATCH_UP');
        expect(missed + onTime + caughtUp.length).toBe(seconds);
        // The one run of RUN_ONCE has the number of slots that it stands for, skipped ones included.
        if (misfirePolicy === 'RUN_ONCE' && seconds > 1) expect(caughtUp[0]?.slotCount).toBe(seconds - 1);
        expect(skipped.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 30 },
    );
  });

  it('has each slot in exactly one row, whatever prevents its run', () => {
    const policies = fc.constantFrom('RUN_ONCE', 'RUN_ALL', 'SKIP');
    const concurrencyPolicies = fc.constantFrom('ALLOW', 'FORBID', 'QUEUE', 'REPLACE');
    const reasons = fc.constantFrom(null, 'What it depends on has not run.');
    const graces = fc.integer({ min: 0, max: 60_000 });
    const waits = fc.integer({ min: 1, max: 1_500 });
    fc.assert(
      fc.property(policies, concurrencyPolicies, reasons, graces, waits, (...drawn) => {
        const [misfirePolicy, concurrencyPolicy, unmet, misfireGraceMs, seconds] = drawn;
        const job = { ...everySecond, misfirePolicy, concurrencyPolicy, misfireGraceMs };
        const { executions } = planJob(job, { ...NO_LOAD, running: 1 }, unmet, after(seconds));
        const told = executions.flatMap(({ status, scheduledAt, slotCount }) => {
          const slots = status === 'SKIPPED' ? slotCount : 1;
          return Array.from({ length: slots }, (_, n) => scheduledAt.getTime() + n * SECOND_MS);
        });
        const due = Array.from({ length: seconds }, (_, n) => after(n + 1).getTime());
        expect(told.sort((one, other) => one - other)).toEqual(due);
      }),
      { numRuns: 60 },
    );
  });

  it('runs a slot that is on time under FORBID before a missed one', () => {
    const job = { ...everySecond, concurrencyPolicy: 'FORBID', misfireGraceMs: 500 } as const;
    const runs = (planned: JobPlan) =>
      planned.executions.map(({ trigger, status, scheduledAt }) => [trigger, status, scheduledAt]).sort();
    for (const misfirePolicy of ['RUN_ONCE', 'RUN_ALL'] as const) {
      expect(runs(plan({ ...job, misfirePolicy }, after(2)))).toEqual([
        ['CATCH_UP', 'SKIPPED', after(1)],
        ['SCHEDULE', 'PENDING', after(2)],
      ]);
    }
    const planned = plan({ ...job, maxConcurrency: 2 }, after(3)).executions;
    expect(
      planned.filter(({ status }) => status === 'PENDING').map(({ scheduledAt }) => scheduledAt),
    ).toEqual(expect.arrayContaining([after(1), after(3)]));
    expect(planned.find(({ status }) => status === 'SKIPPED')).toMatchObject({
      scheduledAt: after(2),
      skipReason: 'OVERLAP',
      errorMessage: 'A newer execution took its place.',
    });
  });

  it('runs a missed slot under FORBID when nothing is on time', () => {
    const job = { ...everySecond, concurrencyPolicy: 'FORBID', misfireGraceMs: 0 } as const;
    const { executions } = plan(job, new Date(after(1).getTime() + 500));
    expect(executions).toMatchObject([{ trigger: 'CATCH_UP', status: 'PENDING' }]);
  });

  it('describes the missed range: how many, from when to when', () => {
    const { executions } = plan({ ...everySecond, misfirePolicy: 'SKIP', misfireGraceMs: 500 }, after(10));
    expect(executions[0]).toMatchObject({
      skipReason: 'MISFIRE',
      slotCount: 9,
      errorMessage: 'Missed 9 from 2030-01-07T09:00:01.000Z to 2030-01-07T09:00:09.000Z.',
    });
  });

  it('is bounded, and states "at least", when more was missed than it counts', () => {
    const { executions, move } = plan({ ...everySecond, misfirePolicy: 'SKIP' }, after(200_000));
    expect(executions.length).toBeLessThan(100);
    expect(executions[0]?.errorMessage).toContain('at least 100000');
    expect(move.nextRunAt).toEqual(after(200_001));
  });

  it('spreads its runs by the jitter, within its bound', () => {
    const { executions } = plan({ ...everySecond, jitterMs: 400 }, after(30));
    const delays = executions.map(
      ({ scheduledAt, availableAt }) => availableAt.getTime() - scheduledAt.getTime(),
    );
    expect(delays.every((delay) => delay >= 0 && delay < 400)).toBe(true);
    expect(new Set(delays).size).toBeGreaterThan(10);
  });

  it('completes the job with its last slot', () => {
    const once = { ...everySecond, schedule: null, runAt: after(1) };
    expect(plan(once, after(1)).move).toEqual({ id: once.id, nextRunAt: null, status: 'COMPLETED' });
    expect(plan({ ...everySecond, endAt: after(1) }, after(5)).move.status).toBe('COMPLETED');
  });

  it('keeps a job without schedule unchanged', () => {
    expect(plan({ ...everySecond, schedule: null }, after(1))).toMatchObject({
      executions: [],
      move: { nextRunAt: null, status: 'ACTIVE' },
    });
  });

  it('throws when the stored schedule cannot be read', () => {
    expect(() => plan({ ...everySecond, schedule: 'nonsense' }, after(1))).toThrow('cannot be read');
  });
});

function plan(job: DueJob, now: Date): JobPlan {
  return planJob(job, NO_LOAD, null, now);
}

function after(seconds: number): Date {
  return new Date(START.getTime() + seconds * SECOND_MS);
}
