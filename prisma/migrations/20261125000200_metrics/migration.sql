-- Counts of ends are made anew: in buckets of several lengths, with sketches, and in a row for all jobs together.
DROP TABLE "job_execution_rollups";

-- CreateTable
CREATE TABLE "job_execution_rollups" (
    "job_id" UUID NOT NULL,
    "bucket_minutes" INTEGER NOT NULL,
    "bucket_at" TIMESTAMPTZ(3) NOT NULL,
    "success_count" BIGINT NOT NULL DEFAULT 0,
    "failed_count" BIGINT NOT NULL DEFAULT 0,
    "cancelled_count" BIGINT NOT NULL DEFAULT 0,
    "skipped_count" BIGINT NOT NULL DEFAULT 0,
    "retry_count" BIGINT NOT NULL DEFAULT 0,
    "duration_sum_ms" BIGINT NOT NULL DEFAULT 0,
    "duration_max_ms" INTEGER,
    "lateness_max_ms" INTEGER,
    "last_success_at" TIMESTAMPTZ(3),
    "last_failure_at" TIMESTAMPTZ(3),
    "duration_sketch" BIGINT[] DEFAULT ARRAY[]::BIGINT[],
    "lateness_sketch" BIGINT[] DEFAULT ARRAY[]::BIGINT[],

    CONSTRAINT "job_execution_rollups_pkey" PRIMARY KEY ("job_id","bucket_at","bucket_minutes")
);

-- CreateIndex
CREATE INDEX "job_execution_rollups_bucket_minutes_bucket_at_idx" ON "job_execution_rollups"("bucket_minutes", "bucket_at");

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

ALTER TABLE "job_execution_rollups"
  ALTER COLUMN "duration_sketch" SET NOT NULL,
  ALTER COLUMN "lateness_sketch" SET NOT NULL,
  ADD CONSTRAINT "job_execution_rollups_bucket_minutes" CHECK ("bucket_minutes" IN (5, 60, 1440, 10080, 131040));

-- A row is rewritten at each end of one of its executions: with room on its page that costs no new index entry.
ALTER TABLE "job_execution_rollups" SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);

-- What is still kept of the past, counted as it will be from now on. An entry of a sketch is 1024 for one duration plus
-- its bucket, the buckets growing by 1.04; the nil id stands for all jobs.
INSERT INTO "job_execution_rollups" ("job_id", "bucket_minutes", "bucket_at", "success_count", "failed_count",
  "cancelled_count", "skipped_count", "retry_count", "duration_sum_ms", "duration_max_ms", "lateness_max_ms",
  "last_success_at", "last_failure_at", "duration_sketch", "lateness_sketch")
SELECT coalesce(job_id, '00000000-0000-0000-0000-000000000000'), bucket_minutes, bucket_at,
  count(*) FILTER (WHERE status = 'SUCCESS'), count(*) FILTER (WHERE status = 'FAILED'),
  count(*) FILTER (WHERE status = 'CANCELLED'), count(*) FILTER (WHERE status = 'SKIPPED'), sum(retry_count),
  coalesce(sum(duration_ms) FILTER (WHERE is_run), 0), max(duration_ms) FILTER (WHERE is_run),
  max(lateness_ms) FILTER (WHERE finished_at IS NOT NULL),
  max(finished_at) FILTER (WHERE status = 'SUCCESS'), max(finished_at) FILTER (WHERE status = 'FAILED'),
  coalesce(array_agg(1024 + CASE WHEN duration_ms <= 0 THEN 0 ELSE 1 + ceil(ln(duration_ms::float8) / ln(1.04::float8))::bigint END)
    FILTER (WHERE is_run AND duration_ms IS NOT NULL), '{}'),
  coalesce(array_agg(1024 + CASE WHEN lateness_ms <= 0 THEN 0 ELSE 1 + ceil(ln(lateness_ms::float8) / ln(1.04::float8))::bigint END)
    FILTER (WHERE finished_at IS NOT NULL AND lateness_ms IS NOT NULL), '{}')
FROM (
  SELECT *, status IN ('SUCCESS', 'FAILED') AS is_run,
    date_bin(bucket_minutes * interval '1 minute', at, '1970-01-05T00:00:00.000Z'::timestamptz) AS bucket_at
  FROM job_executions, LATERAL (SELECT coalesce(finished_at, attempt_started_at)) AS instant(at),
    -- The last hours as finely as they are asked for.
    LATERAL (SELECT CASE WHEN at > now() - interval '2 hours' THEN 5 ELSE 60 END) AS bucket(bucket_minutes)
  WHERE finished_at IS NOT NULL OR retry_count > 0
) AS ended
GROUP BY GROUPING SETS ((job_id, bucket_minutes, bucket_at), (bucket_minutes, bucket_at));
