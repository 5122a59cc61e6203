-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- The latest cancelled run of each job that has one. Looked for first: that may take long, and must keep nobody waiting.
CREATE TEMPORARY TABLE "latest_cancelled" ON COMMIT DROP AS
SELECT job_id, max(finished_at) AS at FROM "job_executions"
WHERE status = 'CANCELLED' AND started_at IS NOT NULL AND finished_at IS NOT NULL GROUP BY 1;

-- The event log's lock, which whoever counts ends holds, and that of whoever folds the counts: no row changes meanwhile.
SELECT pg_advisory_xact_lock(7265001), pg_advisory_xact_lock(7265004);

-- Into the last of the job's rows that begins before the run has ended.
UPDATE "job_execution_rollups" AS r SET "last_cancelled_at" = greatest(r.last_cancelled_at, latest.at)
FROM "latest_cancelled" AS latest, LATERAL (
  SELECT bucket_at, bucket_minutes FROM "job_execution_rollups" AS holding
  WHERE holding.job_id = latest.job_id AND holding.bucket_at <= latest.at
  ORDER BY bucket_at DESC, bucket_minutes LIMIT 1
) AS bucket
WHERE r.job_id = latest.job_id AND r.bucket_at = bucket.bucket_at AND r.bucket_minutes = bucket.bucket_minutes;
