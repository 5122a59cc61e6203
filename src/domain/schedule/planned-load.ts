import type { Skipped, PlannedRule, PlannedSchedules } from './planned.ts';
import { isSlot, slotsAfter } from './schedule-slots.ts';
import { countSlots } from './slot-count.ts';
import { bucketCount, type BucketedSpan, boundsOf } from '../metrics/time-buckets.ts';

/** The planned slots within one bucket. */
export interface PlannedBucket {
  from: Date;
  to: Date;
  count: number;
  /** Some of the jobs that run in it. */
  jobIds: string[];
}

/** How many jobs a bucket names. */
export const MAX_JOBS_PER_BUCKET = 20;

/**
 * Counts slots in equal buckets, oldest first, without the skipped slots. It lists the slots of a rule when they are
 * fewer than the buckets, and counts them otherwise.
 *
 * Yields after each rule and each skipped slot. There the caller can let other work run, or stop.
 */
export function* plannedLoad(
  { rules, skipped }: PlannedSchedules,
  span: BucketedSpan,
): Generator<void, PlannedBucket[], undefined> {
  const buckets = boundsOf(span).map((bounds): PlannedBucket => ({ count: 0, jobIds: [], ...bounds }));
  for (const planned of rules) {
    addRule(buckets, planned, span);
    yield;
  }
  const takenOut = new Map<string, number>();
  for (const slot of skipped) {
    takeOut(buckets, slot, span, takenOut);
    yield;
  }
  return buckets;
}

function addRule(buckets: readonly PlannedBucket[], planned: PlannedRule, span: BucketedSpan): void {
  const { rule } = planned;
  const total = countSlots(rule, span.from, span.to);
  if (total <= bucketCount(span)) {
    for (const slot of slotsAfter(rule, before(span.from))) {
      if (slot >= span.to) return;
      addSlots(buckets[indexOf(slot, span)], planned, 1);
    }
    return;
  }
  for (const bucket of buckets) {
    addSlots(bucket, planned, countSlots(rule, bucket.from, endWithin(bucket, span)));
  }
}

function addSlots(bucket: PlannedBucket | undefined, { jobs, jobIds }: PlannedRule, slots: number): void {
  if (bucket === undefined || slots === 0) return;
  bucket.count += slots * jobs;
  const wanted = MAX_JOBS_PER_BUCKET - bucket.jobIds.length;
  if (wanted <= 0) return;
  const known = new Set(bucket.jobIds);
  bucket.jobIds.push(...jobIds.filter((id) => !known.has(id)).slice(0, wanted));
}

/** @param takenOut how many slots of each job and bucket are out already */
function takeOut(
  buckets: readonly PlannedBucket[],
  { jobId, scheduledAt, rule }: Skipped,
  span: BucketedSpan,
  takenOut: Map<string, number>,
): void {
  const index = indexOf(scheduledAt, span);
  const bucket = buckets[index];
  if (bucket === undefined || !isSlot(rule, scheduledAt)) return;
  bucket.count -= 1;
  const key = `${jobId} ${index}`;
  const count = (takenOut.get(key) ?? 0) + 1;
  takenOut.set(key, count);
  // A job that keeps another slot in this bucket stays.
  if (countSlots(rule, bucket.from, endWithin(bucket, span)) === count) {
    bucket.jobIds = bucket.jobIds.filter((id) => id !== jobId);
  }
}

function endWithin(bucket: PlannedBucket, span: BucketedSpan): Date {
  return bucket.to < span.to ? bucket.to : span.to;
}

function indexOf(at: Date, { from, bucketMs }: BucketedSpan): number {
  return Math.floor((at.getTime() - from.getTime()) / bucketMs);
}

function before(at: Date): Date {
  return new Date(at.getTime() - 1);
}
