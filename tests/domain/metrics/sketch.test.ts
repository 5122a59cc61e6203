import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  percentilesOf,
  SKETCH_ENTRY_RADIX,
  SKETCH_ERROR,
  sketchBucketOf,
  sketchValueOf,
} from '../../../src/domain/metrics/sketch.ts';

/** The longest duration that a column can store: 24.8 days. */
const LONGEST_MS = 2 ** 31 - 1;

/** Short, ordinary and long durations: every order of magnitude is equally likely. */
const duration = fc.oneof(
  fc.constant(0),
  fc.double({ min: 0, max: Math.log(LONGEST_MS), noNaN: true }).map((log) => Math.round(Math.exp(log))),
);

describe('a percentile', () => {
  it('is never further from the exact one than half a bucket', () => {
    fc.assert(
      fc.property(fc.array(duration, { minLength: 1, maxLength: 500 }), (durations) => {
        const sorted = durations.toSorted((a, b) => a - b);
        const percentiles = percentilesOf(durations.map(entry), Math.max(...durations));
        const exact = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? NaN;
        expectClose(percentiles?.p50, exact(0.5));
        expectClose(percentiles?.p95, exact(0.95));
        expectClose(percentiles?.p99, exact(0.99));
        expect(percentiles?.max).toBe(sorted.at(-1));
      }),
    );
  });

  it('does not depend on the spread of counts over entries, or on their order', () => {
    const apart = [20, 20, 20, 700].map(entry);
    const together = [entry(700), 3 * SKETCH_ENTRY_RADIX + sketchBucketOf(20)];
    expect(percentilesOf(together, 700)).toEqual(percentilesOf(apart, 700));
  });

  it('is exact when all durations are zero', () => {
    expect(percentilesOf([entry(0), entry(0)], 0)).toEqual({ p50: 0, p95: 0, p99: 0, max: 0 });
  });

  it('is never above the longest duration', () => {
    expect(percentilesOf([entry(1_000)], 1_000)).toEqual({ p50: 1_000, p95: 1_000, p99: 1_000, max: 1_000 });
  });

  it('of nothing is null', () => {
    expect(percentilesOf([], 0)).toBeNull();
  });
});

describe('a bucket', () => {
  it('of any duration fits into an entry', () => {
    expect(sketchBucketOf(LONGEST_MS)).toBeLessThan(SKETCH_ENTRY_RADIX);
  });

  it('of a longer duration is never an earlier one', () => {
    fc.assert(
      fc.property(duration, duration, (a, b) => {
        if (a <= b) expect(sketchBucketOf(a)).toBeLessThanOrEqual(sketchBucketOf(b));
      }),
    );
  });

  it('contains durations that are close to its value', () => {
    fc.assert(
      fc.property(duration, (ms) => {
        expectClose(sketchValueOf(sketchBucketOf(ms)), ms);
      }),
    );
  });
});

function entry(ms: number): number {
  return SKETCH_ENTRY_RADIX + sketchBucketOf(ms);
}

function expectClose(estimate: number | undefined, exact: number): void {
  const leeway = exact * SKETCH_ERROR * (1 + 1e-9);
  expect(Math.abs((estimate ?? NaN) - exact)).toBeLessThanOrEqual(leeway);
}
