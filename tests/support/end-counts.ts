import type { Pool, QueryResultRow } from 'pg';
import { BUCKET_MINUTES, BUCKETS_FROM } from '../../src/domain/metrics/metrics-window.ts';
import { ALL_JOBS } from '../../src/store/metrics/rollups.ts';

/** What ended of one job in one bucket of the finest length; the sketches as numbers of durations. */
export type BucketCounts = QueryResultRow & { jobId: string; bucketAt: Date };

const NUMBERS = `success, failed, cancelled, skipped, "durationSumMs", "longestMs", "latestMs", "lastSuccessAt",
  "lastFailureAt", "lastCancelledAt", durations, latenesses`;

const OF_ROWS = `
SELECT job_id AS "jobId", date_bin($1 * interval '1 min', finished_at, $2) AS "bucketAt",
  count(*) FILTER (WHERE status = 'SUCCESS')::int AS success, count(*) FILTER (WHERE status = 'FAILED')::int AS failed,
  count(*) FILTER (WHERE status = 'CANCELLED')::int AS cancelled, count(*) FILTER (WHERE status = 'SKIPPED')::int AS skipped,
  coalesce(sum(duration_ms) FILTER (WHERE status IN ('SUCCESS', 'FAILED')), 0)::int AS "durationSumMs",
  max(duration_ms) FILTER (WHERE status IN ('SUCCESS', 'FAILED')) AS "longestMs", max(lateness_ms) AS "latestMs",
  max(finished_at) FILTER (WHERE status = 'SUCCESS') AS "lastSuccessAt",
  max(finished_at) FILTER (WHERE status = 'FAILED') AS "lastFailureAt",
  max(finished_at) FILTER (WHERE status = 'CANCELLED' AND started_at IS NOT NULL) AS "lastCancelledAt",
  count(duration_ms) FILTER (WHERE status IN ('SUCCESS', 'FAILED'))::int AS durations, count(lateness_ms)::int AS latenesses
FROM job_executions WHERE finished_at IS NOT NULL GROUP BY 1, 2`;

const COUNTED = `
SELECT job_id AS "jobId", bucket_at AS "bucketAt", success_count::int AS success, failed_count::int AS failed,
  cancelled_count::int AS cancelled, skipped_count::int AS skipped, duration_sum_ms::int AS "durationSumMs",
  duration_max_ms AS "longestMs", lateness_max_ms AS "latestMs", last_success_at AS "lastSuccessAt",
  last_failure_at AS "lastFailureAt", last_cancelled_at AS "lastCancelledAt",
  (SELECT coalesce(sum(e / 1024), 0)::int FROM unnest(duration_sketch) AS e) AS durations,
  (SELECT coalesce(sum(e / 1024), 0)::int FROM unnest(lateness_sketch) AS e) AS latenesses
FROM job_execution_rollups
WHERE bucket_minutes = $1 AND job_id <> '${ALL_JOBS}' AND success_count + failed_count + cancelled_count + skipped_count > 0`;

/** A count over the rows of executions, per job and bucket. */
export async function countOverRows(pool: Pool): Promise<BucketCounts[]> {
  return read(pool, OF_ROWS, [BUCKET_MINUTES.finest, BUCKETS_FROM]);
}

/** What the scheduler has counted itself, as long as nothing of it was folded. */
export async function countedBuckets(pool: Pool): Promise<BucketCounts[]> {
  return read(pool, COUNTED, [BUCKET_MINUTES.finest]);
}

/** Retries that executions have had, whatever became of them. */
export async function retriesOverRows(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ retries: number }>(
    'SELECT coalesce(sum(retry_count), 0)::int AS retries FROM job_executions',
  );
  return rows[0]?.retries ?? 0;
}

async function read(pool: Pool, from: string, values: unknown[]): Promise<BucketCounts[]> {
  const { rows } = await pool.query<BucketCounts>(
    `SELECT "jobId", "bucketAt", ${NUMBERS} FROM (${from}) AS counted ORDER BY 1, 2`,
    values,
  );
  return rows;
}
