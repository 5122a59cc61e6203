import type { Fold } from '../../domain/metrics/metrics-window.ts';
import { bucketStart } from '../../domain/metrics/metrics-window.ts';
import { SKETCH_ENTRY_RADIX } from '../../domain/metrics/sketch.ts';
import { ADD_TO_ROLLUP, bucketAt, ROLLUP_COLUMNS } from './rollups.ts';
import type { Queryable } from '../statements/sql.ts';

/** Key of the advisory transaction lock that a fold holds. */
const FOLDING_LOCK = 7_265_004;

const FOLD = `
-- fold up to $4 of the oldest rollups of $1 minutes from before $3 into those of $2 minutes that hold them: what is
-- counted stays the same.
-- One instance at a time; the others have nothing to do. An end that is recorded late makes a new short bucket, which is
-- folded next. SKIP LOCKED: one that is being written at this moment is left for next time, since its writer holds
-- the event log's lock, and may have to wait for us.
WITH turn AS MATERIALIZED (
  SELECT pg_try_advisory_xact_lock(${FOLDING_LOCK}) AS is_ours
), due AS MATERIALIZED (
  SELECT job_id, bucket_at FROM job_execution_rollups
  WHERE (SELECT is_ours FROM turn) AND bucket_minutes = $1::int AND bucket_at < $3
  ORDER BY bucket_at
  LIMIT $4
  FOR UPDATE SKIP LOCKED
), gone AS (
  DELETE FROM job_execution_rollups AS r USING due
  WHERE r.job_id = due.job_id AND r.bucket_at = due.bucket_at AND r.bucket_minutes = $1::int
  RETURNING r.*, ${bucketAt('r.bucket_at', '$2::int')} AS into_at
), spread AS (
  SELECT job_id, into_at, is_lateness, e % ${SKETCH_ENTRY_RADIX} AS bucket, sum(e / ${SKETCH_ENTRY_RADIX})::bigint AS n
  FROM gone, LATERAL (SELECT false, unnest(duration_sketch) UNION ALL SELECT true, unnest(lateness_sketch)) AS s(is_lateness, e)
  GROUP BY 1, 2, 3, 4
), sketch AS (
  SELECT job_id, into_at, array_agg(n * ${SKETCH_ENTRY_RADIX} + bucket) FILTER (WHERE NOT is_lateness) AS duration,
    array_agg(n * ${SKETCH_ENTRY_RADIX} + bucket) FILTER (WHERE is_lateness) AS lateness
  FROM spread GROUP BY 1, 2
), total AS (
  SELECT job_id, into_at, sum(success_count) AS success, sum(failed_count) AS failed, sum(cancelled_count) AS cancelled,
    sum(skipped_count) AS skipped, sum(retry_count) AS retries, sum(duration_sum_ms) AS duration_sum_ms,
    max(duration_max_ms) AS duration_max_ms, max(lateness_max_ms) AS lateness_max_ms,
    max(last_success_at) AS last_success_at, max(last_failure_at) AS last_failure_at,
    max(last_cancelled_at) AS last_cancelled_at
  FROM gone GROUP BY 1, 2
), folded AS (
  INSERT INTO job_execution_rollups AS r (job_id, bucket_minutes, bucket_at, ${ROLLUP_COLUMNS})
  SELECT job_id, $2::int, into_at, success, failed, cancelled, skipped, retries, duration_sum_ms, duration_max_ms,
    lateness_max_ms, last_success_at, last_failure_at, last_cancelled_at, coalesce(duration, '{}'),
    coalesce(lateness, '{}')
  FROM total LEFT JOIN sketch USING (job_id, into_at)
  ${ADD_TO_ROLLUP}
)
SELECT count(*)::int AS count FROM gone`;

/** Short buckets from before this instant are to be folded. */
export function foldsBefore({ intoMinutes, afterMs }: Fold, now: Date): Date {
  return bucketStart(new Date(now.getTime() - afterMs), intoMinutes);
}

/** Folds a batch of short buckets whose time has come into longer ones; answers how many. */
export async function foldRollups(
  db: Queryable,
  { fromMinutes, intoMinutes }: Fold,
  before: Date,
  limit: number,
): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    text: FOLD,
    values: [fromMinutes, intoMinutes, before, limit],
  });
  return rows[0]?.count ?? 0;
}
