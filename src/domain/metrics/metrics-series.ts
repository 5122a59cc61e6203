import { MINUTE_MS } from '../schedule/cron-wall.ts';
import type { Buckets } from './metrics-window.ts';

/** The counts of the executions that ended within one bucket. */
export interface EndCounts {
  success: number;
  failed: number;
  cancelled: number;
  skipped: number;
  /** Attempts that the retry policy granted, counted at that time. */
  retries: number;
  /** The sum of the durations of those that succeeded or failed, in milliseconds. */
  durationSumMs: number;
}

/** The counts of one bucket, which begins at `from`. */
export interface MetricsBucket extends EndCounts {
  from: Date;
  to: Date;
}

/** The counts of a span by bucket. The last bucket contains `now`. Empty buckets are missing. */
export interface CountedSpan {
  span: Buckets;
  now: Date;
  counted: readonly (EndCounts & { bucketAt: Date })[];
}

const NOTHING: EndCounts = { success: 0, failed: 0, cancelled: 0, skipped: 0, retries: 0, durationSumMs: 0 };

/**
 * Lists the counts in equal buckets, oldest first, up to the bucket that contains `now`. Empty buckets are included.
 * The counts must have the same bucket starts.
 */
export function seriesOf({ span: { from, minutes }, now, counted }: CountedSpan): MetricsBucket[] {
  const byStart = new Map<number, EndCounts>(counted.map((counts) => [counts.bucketAt.getTime(), counts]));
  const series: MetricsBucket[] = [];
  const lengthMs = minutes * MINUTE_MS;
  // An instance whose clock is ahead may have counted into a bucket that has not begun here.
  const lastMs = Math.max(now.getTime(), ...byStart.keys());
  for (let startMs = from.getTime(); startMs <= lastMs; startMs += lengthMs) {
    // Fields are copied by name, here and below. A page of jobs has thousands of buckets, and a spread is many times
    // slower.
    const { success, failed, cancelled, skipped, retries, durationSumMs } = byStart.get(startMs) ?? NOTHING;
    series.push({
      success,
      failed,
      cancelled,
      skipped,
      retries,
      durationSumMs,
      from: new Date(startMs),
      to: new Date(startMs + lengthMs),
    });
  }
  return series;
}

/** The counts of all buckets together. */
export function totalOf(buckets: readonly EndCounts[]): EndCounts {
  const total = { ...NOTHING };
  for (const { success, failed, cancelled, skipped, retries, durationSumMs } of buckets) {
    total.success += success;
    total.failed += failed;
    total.cancelled += cancelled;
    total.skipped += skipped;
    total.retries += retries;
    total.durationSumMs += durationSumMs;
  }
  return total;
}

/** How many executions ended, in any way. */
export function endedCount({ success, failed, cancelled, skipped }: EndCounts): number {
  return success + failed + cancelled + skipped;
}

/** SUCCESS divided by SUCCESS plus FAILED, in percent; null when nothing succeeded or failed. */
export function successRate({ success, failed }: EndCounts): number | null {
  return success + failed === 0 ? null : (100 * success) / (success + failed);
}

/** The mean of the durations; null when there is none. */
export function averageMs({ success, failed, durationSumMs }: EndCounts): number | null {
  return success + failed === 0 ? null : durationSumMs / (success + failed);
}
