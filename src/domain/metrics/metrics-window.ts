import { DAY_MS, HOUR_MS, MINUTE_MS } from '../schedule/cron-wall.ts';

/** The spans of time that a client can ask for. */
export type MetricsWindow = 'LAST_HOUR' | 'LAST_24H' | 'LAST_7D' | 'LAST_30D' | 'ALL_TIME';

/**
 * The lengths of the buckets that count ended executions, in minutes, finest first. All begin at {@link
 * BUCKETS_FROM}, so they nest. New counts go into the finest buckets. {@link FOLDS} says when older buckets become
 * longer ones.
 */
export const BUCKET_MINUTES = {
  finest: 5,
  hour: 60,
  day: 24 * 60,
  week: 7 * 24 * 60,
  quarter: 13 * 7 * 24 * 60,
} as const;

/** A Monday, so that weeks begin on one. Buckets of a day begin at midnight UTC. */
export const BUCKETS_FROM = new Date(Date.UTC(1970, 0, 5));

/** How buckets of one length become longer ones. */
export interface Fold {
  fromMinutes: number;
  intoMinutes: number;
  /** How long ago the longer bucket must have ended. */
  afterMs: number;
}

/** Each fold waits a while longer than any window needs the shorter buckets. */
export const FOLDS: readonly Fold[] = [
  { fromMinutes: BUCKET_MINUTES.finest, intoMinutes: BUCKET_MINUTES.hour, afterMs: 2 * HOUR_MS },
  { fromMinutes: BUCKET_MINUTES.hour, intoMinutes: BUCKET_MINUTES.day, afterMs: 2 * DAY_MS },
  { fromMinutes: BUCKET_MINUTES.day, intoMinutes: BUCKET_MINUTES.week, afterMs: 35 * DAY_MS },
  { fromMinutes: BUCKET_MINUTES.week, intoMinutes: BUCKET_MINUTES.quarter, afterMs: 380 * DAY_MS },
];

/** Equal buckets. The last one contains the present. */
export interface Buckets {
  from: Date;
  minutes: number;
}

/** The start of the bucket that contains an instant. */
export function bucketStart(at: Date, minutes: number): Date {
  const lengthMs = minutes * MINUTE_MS;
  const passed = Math.floor((at.getTime() - BUCKETS_FROM.getTime()) / lengthMs);
  return new Date(BUCKETS_FROM.getTime() + passed * lengthMs);
}

interface Past {
  minutes: number;
  /** Buckets before the current one. */
  count: number;
}

const PAST = {
  LAST_HOUR: { minutes: BUCKET_MINUTES.finest, count: 12 },
  LAST_24H: { minutes: BUCKET_MINUTES.hour, count: 24 },
  LAST_7D: { minutes: BUCKET_MINUTES.day, count: 7 },
  LAST_30D: { minutes: BUCKET_MINUTES.day, count: 30 },
} as const satisfies Record<string, Past>;

/** The buckets of ALL_TIME: the first of these that reaches back to the beginning, else quarters. */
const ALL_TIME: readonly Past[] = [
  PAST.LAST_HOUR,
  PAST.LAST_24H,
  PAST.LAST_30D,
  { minutes: BUCKET_MINUTES.week, count: 52 },
];

/**
 * The buckets of a window: as many whole buckets as its length, and the current one. So a window covers its length
 * and up to one bucket more. For example, the last 24 hours always contain a run of a daily job.
 *
 * @param firstAt the start of the first bucket with counts; null when there are no counts yet
 */
export function bucketsOf(window: MetricsWindow, now: Date, firstAt: Date | null): Buckets {
  if (window !== 'ALL_TIME') return { from: startOf(PAST[window], now), minutes: PAST[window].minutes };
  const beginning = firstAt ?? now;
  const reaching = ALL_TIME.find((past) => startOf(past, now) <= beginning);
  const minutes = reaching?.minutes ?? BUCKET_MINUTES.quarter;
  return { from: bucketStart(beginning, minutes), minutes };
}

function startOf({ minutes, count }: Past, now: Date): Date {
  return new Date(bucketStart(now, minutes).getTime() - count * minutes * MINUTE_MS);
}
