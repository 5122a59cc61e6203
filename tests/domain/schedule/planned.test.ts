import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Skipped, PlannedRule } from '../../../src/domain/schedule/planned.ts';
import { MAX_JOBS_PER_BUCKET, plannedLoad } from '../../../src/domain/schedule/planned-load.ts';
import { plannedRuns } from '../../../src/domain/schedule/planned-runs.ts';
import type { SlotRule } from '../../../src/domain/schedule/schedule-slots.ts';
import { boundsOf } from '../../../src/domain/metrics/time-buckets.ts';
import { ruleFor, slotsBetween } from './schedule-support.ts';

const FROM = new Date('2030-03-30T22:00:00Z');
const MINUTE_MS = 60_000;
const at = (minutes: number) => new Date(FROM.getTime() + minutes * MINUTE_MS);

/** The night in which Berlin sets its clocks forward. */
const rule = fc
  .tuple(
    fc.constantFrom('*/5 * * * *', '*/20 * * * * *', '30 2 * * *', '@every 7m', '@hourly', '0 0 1 1 *'),
    fc.constantFrom('UTC', 'Europe/Berlin'),
    fc.constantFrom(null, at(90)),
  )
  .map(([text, zone, endAt]) => ruleFor(text, zone, { startAt: FROM, anchorAt: FROM, endAt }));
const rules = fc.array(fc.tuple(rule, fc.integer({ min: 1, max: 8 })), { maxLength: 5 }).map((drawn) =>
  drawn.map(([one, jobs], index): PlannedRule => ({
    rule: one,
    jobs,
    jobIds: Array.from({ length: jobs }, (_, job) => `job ${index}.${job}`),
  })),
);
const minutes = fc.integer({ min: 1, max: 200 });

/** All runs of all jobs before an instant, computed in the simplest way. */
function listed(planned: readonly PlannedRule[], to: Date, skipped: readonly Skipped[]) {
  const passedOver = new Set(skipped.map(({ jobId, scheduledAt }) => `${jobId} ${+scheduledAt}`));
  return planned
    .flatMap(({ rule: one, jobIds }) =>
      slotsOf(one, to).flatMap((slot) => jobIds.map((jobId) => ({ jobId, at: slot }))),
    )
    .filter((run) => !passedOver.has(`${run.jobId} ${+run.at}`))
    .toSorted((a, b) => +a.at - +b.at || (a.jobId < b.jobId ? -1 : 1));
}

function slotsOf(one: SlotRule, to: Date): Date[] {
  const span = [new Date(FROM.getTime() - 1), new Date(to.getTime() - 1)] as const;
  return slotsBetween(one, ...span);
}

/** Some of the runs are skipped, together with slots that no job has. */
function someSkipped(planned: readonly PlannedRule[], to: Date, seed: number): Skipped[] {
  return planned.flatMap(({ rule: one, jobIds }) =>
    [...slotsOf(one, to).filter((_, index) => index % 7 === seed), at(0.5)].map((scheduledAt) => ({
      jobId: jobIds[seed % jobIds.length] ?? '',
      scheduledAt,
      rule: one,
    })),
  );
}

function drive<T>(work: Generator<void, T, undefined>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

describe('the planned load', () => {
  it('counts the runs of all jobs except the skipped ones', () => {
    fc.assert(
      fc.property(rules, minutes, minutes, fc.nat(6), (planned, span, bucket, seed) => {
        const to = at(span);
        const asked = { from: FROM, to, bucketMs: bucket * MINUTE_MS };
        const skipped = someSkipped(planned, to, seed);
        const buckets = drive(plannedLoad({ rules: planned, skipped }, asked));
        const runs = listed(planned, to, skipped);
        const expected = boundsOf(asked).map((bounds) => {
          const inside = runs.filter((run) => run.at >= bounds.from && run.at < bounds.to);
          return { ...bounds, count: inside.length, jobs: new Set(inside.map(({ jobId }) => jobId)) };
        });
        expect(buckets.map(({ from, to: end, count }) => [from, end, count])).toEqual(
          expected.map(({ from, to: end, count }) => [from, end, count]),
        );
        for (const [index, { jobIds }] of buckets.entries()) {
          const all = expected[index]?.jobs ?? new Set();
          expect(new Set(jobIds).size).toBe(jobIds.length);
          expect(jobIds.filter((id) => !all.has(id))).toEqual([]);
          expect(jobIds.length).toBeLessThanOrEqual(MAX_JOBS_PER_BUCKET);
          if (all.size < MAX_JOBS_PER_BUCKET / 2) expect(jobIds).toHaveLength(all.size);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('of a hundred thousand jobs of every second is counted, not listed', () => {
    const everySecond = { rule: ruleFor('* * * * * *'), jobs: 100_000, jobIds: ['job'] };
    const month = { from: FROM, to: at(30 * 1440), bucketMs: 1440 * MINUTE_MS };
    const buckets = drive(plannedLoad({ rules: [everySecond], skipped: [] }, month));
    expect(buckets.map(({ count }) => count)).toEqual(Array<number>(30).fill(86_400 * 100_000));
  });
});

describe('the planned runs', () => {
  it('are the first of all jobs’ runs except the skipped ones', () => {
    fc.assert(
      fc.property(
        rules,
        minutes,
        fc.integer({ min: 1, max: 300 }),
        fc.nat(6),
        (planned, span, limit, seed) => {
          const to = at(span);
          const skipped = someSkipped(planned, to, seed);
          const runs = drive(plannedRuns({ rules: planned, skipped }, { from: FROM, to, limit }));
          expect(runs).toEqual(listed(planned, to, skipped).slice(0, limit));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are endless when there is no end', () => {
    const yearly = { rule: ruleFor('0 0 1 1 *'), jobs: 1, jobIds: ['job'] };
    const runs = drive(plannedRuns({ rules: [yearly], skipped: [] }, { from: FROM, to: null, limit: 3 }));
    expect(runs.map((run) => run.at.getUTCFullYear())).toEqual([2031, 2032, 2033]);
  });
});
