import { describe, expect, it } from 'vitest';
import {
  averageMs,
  endedCount,
  seriesOf,
  successRate,
  totalOf,
} from '../../../src/domain/metrics/metrics-series.ts';

const NOTHING = { success: 0, failed: 0, cancelled: 0, skipped: 0, retries: 0, durationSumMs: 0 };
const at = (time: string) => new Date(`2030-01-07T${time}Z`);

describe('a series', () => {
  it('has every bucket from the first to the current one, empty ones included', () => {
    const counted = [{ ...NOTHING, bucketAt: at('10:00:00'), success: 3 }];
    const series = seriesOf({ span: { from: at('09:00:00'), minutes: 60 }, now: at('11:59:59'), counted });
    expect(series.map(({ from, to, success }) => [from, to, success])).toEqual([
      [at('09:00:00'), at('10:00:00'), 0],
      [at('10:00:00'), at('11:00:00'), 3],
      [at('11:00:00'), at('12:00:00'), 0],
    ]);
  });

  it('continues to the buckets of an instance with a faster clock', () => {
    const counted = [{ ...NOTHING, bucketAt: at('10:05:00'), failed: 1 }];
    const series = seriesOf({ span: { from: at('10:00:00'), minutes: 5 }, now: at('10:04:59'), counted });
    expect(series.map(({ failed }) => failed)).toEqual([0, 1]);
  });
});

describe('totals of counts', () => {
  it('add up all buckets', () => {
    const one = { success: 1, failed: 2, cancelled: 3, skipped: 4, retries: 5, durationSumMs: 6 };
    expect(totalOf([one, NOTHING, one])).toEqual({
      success: 2,
      failed: 4,
      cancelled: 6,
      skipped: 8,
      retries: 10,
      durationSumMs: 12,
    });
    expect(endedCount(one)).toBe(10);
  });

  it('exclude runs that are neither a success nor a failure from rate and average', () => {
    const counts = { ...NOTHING, success: 3, failed: 1, cancelled: 5, skipped: 7, durationSumMs: 1_000 };
    expect(successRate(counts)).toBe(75);
    expect(averageMs(counts)).toBe(250);
  });

  it('are null when nothing succeeded or failed', () => {
    const skippedOnly = { ...NOTHING, skipped: 1 };
    expect(successRate(skippedOnly)).toBeNull();
    expect(averageMs(skippedOnly)).toBeNull();
  });
});
