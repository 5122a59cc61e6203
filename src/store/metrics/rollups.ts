import { BUCKET_MINUTES, BUCKETS_FROM } from '../../domain/metrics/metrics-window.ts';
import { SKETCH_ENTRY_RADIX, SKETCH_GROWTH } from '../../domain/metrics/sketch.ts';

/** Stands in `job_id` of the rows that count the executions of all jobs. */
export const ALL_JOBS = '00000000-0000-0000-0000-000000000000';

const ADDED = [
  'success_count',
  'failed_count',
  'cancelled_count',
  'skipped_count',
  'retry_count',
  'duration_sum_ms',
] as const;
const GREATEST = [
  'duration_max_ms',
  'lateness_max_ms',
  'last_success_at',
  'last_failure_at',
  'last_cancelled_at',
] as const;
const SKETCHES = ['duration_sketch', 'lateness_sketch'] as const;

/**
 * New entries of a sketch are put behind until there are so many, or twice as many, and so on; then those of the same bucket
 * are added up. A sketch of more buckets than that is added up no more often than one of few.
 */
const LOOSE_ENTRIES = 32;

/** The columns of a rollup beside its key. */
export const ROLLUP_COLUMNS = [...ADDED, ...GREATEST, ...SKETCHES].join(', ');

/**
 * How a rollup (`r`) that is there already changes.
 *
 * A sketch grows by concatenation, which is cheap, and is added up only when it has become long.
 */
export const ADD_TO_ROLLUP = `ON CONFLICT (job_id, bucket_at, bucket_minutes) DO UPDATE SET
    ${[
      ...ADDED.map((column) => `${column} = r.${column} + excluded.${column}`),
      ...GREATEST.map((column) => `${column} = greatest(r.${column}, excluded.${column})`),
      ...SKETCHES.map(
        (column) => `${column} = CASE
      WHEN (cardinality(r.${column}) + cardinality(excluded.${column})) / ${LOOSE_ENTRIES} = cardinality(r.${column}) / ${LOOSE_ENTRIES}
      THEN r.${column} || excluded.${column}
      ELSE (${addedUp(`unnest(r.${column} || excluded.${column})`)}) END`,
      ),
    ].join(',\n    ')}`;

/** A sketch of a set of entries, with one for each bucket. */
function addedUp(entries: string): string {
  return `SELECT array_agg(n::bigint * ${SKETCH_ENTRY_RADIX} + bucket ORDER BY bucket)
        FROM (SELECT e % ${SKETCH_ENTRY_RADIX} AS bucket, sum(e / ${SKETCH_ENTRY_RADIX}) AS n FROM ${entries} AS e GROUP BY 1) AS counted`;
}

/** The first instant of the bucket that holds an instant: `bucketStart` in SQL. */
export function bucketAt(at: string, minutes: number | string): string {
  return `date_bin(${minutes} * interval '1 minute', ${at}, '${BUCKETS_FROM.toISOString()}'::timestamptz)`;
}

/** One duration as an entry of a sketch: `sketchBucketOf` in SQL. */
function entryOf(ms: string): string {
  return `${SKETCH_ENTRY_RADIX} + CASE WHEN ${ms} <= 0 THEN 0 ELSE 1 + ceil(ln(${ms}::float8) / ${Math.log(SKETCH_GROWTH)})::bigint END`;
}

/**
 * The statement that counts ends of executions, to stand in a CTE beside the one that tells the log of them: into a row of
 * each job and one of all jobs, each for five minutes.
 *
 * It must draw on the CTE that takes the event log's lock. Beside a fold of old rows, which waits for nobody, only the
 * lock's holder writes any: so they may be written in any order, and every end that has an event is counted.
 *
 * @param ends selects `job_id, status, at, duration_ms, lateness_ms`; RETRYING counts as a retry, other statuses must be
 *   final; without a duration it never ran
 */
export function countEnds(ends: string): string {
  const isRun = `status IN ('SUCCESS', 'FAILED')`;
  return `INSERT INTO job_execution_rollups AS r (job_id, bucket_minutes, bucket_at, ${ROLLUP_COLUMNS})
  SELECT coalesce(job_id, '${ALL_JOBS}'), ${BUCKET_MINUTES.finest}, bucket_at,
    count(*) FILTER (WHERE status = 'SUCCESS'), count(*) FILTER (WHERE status = 'FAILED'),
    count(*) FILTER (WHERE status = 'CANCELLED'), count(*) FILTER (WHERE status = 'SKIPPED'),
    count(*) FILTER (WHERE status = 'RETRYING'), coalesce(sum(duration_ms) FILTER (WHERE ${isRun}), 0),
    max(duration_ms) FILTER (WHERE ${isRun}), max(lateness_ms) FILTER (WHERE status <> 'RETRYING'),
    max(at) FILTER (WHERE status = 'SUCCESS'), max(at) FILTER (WHERE status = 'FAILED'),
    max(at) FILTER (WHERE status = 'CANCELLED' AND duration_ms IS NOT NULL),
    coalesce(array_agg(${entryOf('duration_ms')}) FILTER (WHERE duration_ms IS NOT NULL AND ${isRun}), '{}'),
    coalesce(array_agg(${entryOf('lateness_ms')}) FILTER (WHERE lateness_ms IS NOT NULL AND status <> 'RETRYING'), '{}')
  FROM (SELECT *, ${bucketAt('at', BUCKET_MINUTES.finest)} AS bucket_at FROM (${ends}) AS ended) AS ended
  GROUP BY GROUPING SETS ((job_id, bucket_at), (bucket_at))
  ${ADD_TO_ROLLUP}`;
}
