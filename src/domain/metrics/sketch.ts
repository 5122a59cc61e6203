/**
 * Sketches of many durations. A sketch counts the durations in each of a fixed row of buckets, each {@link
 * SKETCH_GROWTH} times as wide as the one before. Adding the counts of two sketches merges them, so the parts of a
 * span give its percentiles. A sketch never has more than a few hundred counts, for any number of durations.
 *
 * The method is that of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
 * relative-error guarantees", VLDB 2019).
 */

/** The ratio of one bucket's upper bound to the one before. */
export const SKETCH_GROWTH = 1.04;
/** The largest relative error of a percentile: half a bucket. */
export const SKETCH_ERROR = (SKETCH_GROWTH - 1) / (SKETCH_GROWTH + 1);
/**
 * A sketch is stored as a list of whole numbers, each of them count × this + bucket. A bucket may appear several
 * times. The last bucket, for 2³¹ ms, has a much smaller number than this.
 */
export const SKETCH_ENTRY_RADIX = 1024;

/** A count and its bucket, as one number. */
export type SketchEntry = number;

/** The bucket of a duration in whole milliseconds: 0 for a duration of 0, then each up to its power of the growth. */
export function sketchBucketOf(ms: number): number {
  return ms <= 0 ? 0 : 1 + Math.ceil(Math.log(ms) / Math.log(SKETCH_GROWTH));
}

/** The duration with the smallest relative error for a bucket's durations. */
export function sketchValueOf(bucket: number): number {
  return bucket === 0 ? 0 : (2 * SKETCH_GROWTH ** (bucket - 1)) / (SKETCH_GROWTH + 1);
}

/** Percentiles of durations, in milliseconds. */
export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/**
 * The percentiles of a sketch, each within {@link SKETCH_ERROR} of the exact one. A percentile is the smallest
 * duration that at least that share of all does not exceed. Null for an empty sketch.
 *
 * @param maxMs the longest of the durations, which is known exactly
 */
export function percentilesOf(sketch: readonly SketchEntry[], maxMs: number): Percentiles | null {
  const counts = countsOf(sketch);
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  if (total === 0) return null;
  const at = (share: number): number => Math.min(valueAtRank(counts, Math.ceil(share * total)), maxMs);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: maxMs };
}

interface BucketCount {
  bucket: number;
  count: number;
}

/** The counts by bucket, rising. */
function countsOf(sketch: readonly SketchEntry[]): BucketCount[] {
  return sketch
    .map((entry) => ({ bucket: entry % SKETCH_ENTRY_RADIX, count: Math.floor(entry / SKETCH_ENTRY_RADIX) }))
    .sort((a, b) => a.bucket - b.bucket);
}

function valueAtRank(counts: readonly BucketCount[], rank: number): number {
  let passed = 0;
  for (const { bucket, count } of counts) {
    passed += count;
    if (passed >= rank) return sketchValueOf(bucket);
  }
  return sketchValueOf(counts.at(-1)?.bucket ?? 0);
}
