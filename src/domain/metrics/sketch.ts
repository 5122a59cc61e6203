/**
 * Sketches of many durations: how many fell into each of a fixed row of buckets, each {@link SKETCH_GROWTH} times as wide
 * as the one before it. Two sketches are merged by adding their counts, so that the percentiles of any span of time come
 * from its parts, and a sketch never has more than a few hundred counts however many durations went into it.
 *
 * The method is that of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
 * relative-error guarantees", VLDB 2019).
 */

/** From one bucket's upper bound to the next. */
export const SKETCH_GROWTH = 1.04;
/** How far a percentile may be from the exact one, as a share of it: half a bucket. */
export const SKETCH_ERROR = (SKETCH_GROWTH - 1) / (SKETCH_GROWTH + 1);
/**
 * A sketch is kept as a list of whole numbers, each a count and the bucket that it is of: count × this + bucket. A bucket
 * may stand in it several times. The last bucket is that of 2³¹ ms, far below this.
 */
export const SKETCH_ENTRY_RADIX = 1024;

/** A count and the bucket that it is of, as one number. */
export type SketchEntry = number;

/** The bucket of a duration in whole milliseconds: 0 for none at all, then each up to its power of the growth. */
export function sketchBucketOf(ms: number): number {
  return ms <= 0 ? 0 : 1 + Math.ceil(Math.log(ms) / Math.log(SKETCH_GROWTH));
}

/** The duration that is nearest, by ratio, to all of a bucket's. */
export function sketchValueOf(bucket: number): number {
  return bucket === 0 ? 0 : (2 * SKETCH_GROWTH ** (bucket - 1)) / (SKETCH_GROWTH + 1);
}

/** How durations spread, in milliseconds. */
export interface Percentiles {
  p50: number;
  p95: number;
  p99: number;
  max: number;
}

/**
 * The percentiles of what a sketch holds, each within {@link SKETCH_ERROR} of the exact one: the smallest duration that at
 * least that share of all does not exceed. Null for a sketch of nothing.
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
