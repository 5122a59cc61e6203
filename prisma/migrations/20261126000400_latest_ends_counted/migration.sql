-- How the latest run of a job ended is told by the counts of ends, which outlive its executions; an index of all ends was
-- one more entry for each of them.
-- AlterTable
ALTER TABLE "job_execution_rollups" ADD COLUMN     "last_cancelled_at" TIMESTAMPTZ(3);

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- Of each job the latest is enough: into the last of its rows that begins before it.
UPDATE "job_execution_rollups" AS r SET "last_cancelled_at" = latest.at
FROM (
  SELECT job_id, max(finished_at) AS at FROM "job_executions"
  WHERE status = 'CANCELLED' AND started_at IS NOT NULL AND finished_at IS NOT NULL GROUP BY 1
) AS latest, LATERAL (
  SELECT bucket_at, bucket_minutes FROM "job_execution_rollups" AS holding
  WHERE holding.job_id = latest.job_id AND holding.bucket_at <= latest.at
  ORDER BY bucket_at DESC, bucket_minutes LIMIT 1
) AS bucket
WHERE r.job_id = latest.job_id AND r.bucket_at = bucket.bucket_at AND r.bucket_minutes = bucket.bucket_minutes;

DROP INDEX "job_executions_ended";
