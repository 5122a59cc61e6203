-- Nearly all executions end with their first attempt, and nearly all that is kept of it stood in the execution's row as well.
-- The attempt that ends an execution, in success or failure, is kept there alone now, with the line of the log that tells of
-- it: two rows, two index entries and two foreign keys less for each execution. Attempts that were repeated or cancelled stay
-- rows of their own, as all do that there were; so do all other lines. Who reads them reads both, through the views.
ALTER TABLE "job_executions"
  ADD COLUMN     "attempt_duration_ms" INTEGER,
  ADD COLUMN     "response_headers" JSONB,
  ADD COLUMN     "attempt_timings" JSONB,
  ADD COLUMN     "log_position" BIGINT,
  ADD COLUMN     "log_level" "log_level",
  ADD COLUMN     "log_message" TEXT,
  ADD COLUMN     "log_metadata" JSONB,
  ADD CONSTRAINT "job_executions_ending_attempt" CHECK (
    CASE WHEN "log_position" IS NULL
      THEN "attempt_duration_ms" IS NULL AND "response_headers" IS NULL AND "attempt_timings" IS NULL
        AND "log_level" IS NULL AND "log_message" IS NULL AND "log_metadata" IS NULL
      ELSE "attempt_duration_ms" IS NOT NULL AND "attempt_started_at" IS NOT NULL AND "claimed_by" IS NOT NULL
        AND "log_level" IS NOT NULL AND "log_message" IS NOT NULL
        AND "attempt_count" >= 1 AND "attempt_duration_ms" >= 0 AND "status" IN ('SUCCESS', 'FAILED')
    END
    -- Not valid: the rows that are there have none of it, and need not be read to know that.
  ) NOT VALID;

CREATE VIEW "all_execution_attempts" AS
  SELECT "execution_id", "number", "started_at", "finished_at", "duration_ms", "response_status", "failure_reason",
    "error_message", "response_headers", "response_body", "instance_id", "timings"
  FROM "job_execution_attempts"
  UNION ALL
  SELECT "id", "attempt_count", "attempt_started_at", "finished_at", "attempt_duration_ms", "response_status",
    "failure_reason", "error_message", "response_headers", "response_body", "claimed_by", "attempt_timings"
  FROM "job_executions" WHERE "log_position" IS NOT NULL;

CREATE VIEW "all_execution_logs" AS
  SELECT "execution_id", "position", "at", "level", "message", "attempt", "metadata"
  FROM "job_execution_logs"
  UNION ALL
  SELECT "id", "log_position", "finished_at", "log_level", "log_message", "attempt_count", "log_metadata"
  FROM "job_executions" WHERE "log_position" IS NOT NULL;

-- Executions that are made together share created_at, and each claim adds an entry beside its old one: to pack equal keys
-- into one entry, and unpack them, took more time than it saved space.
ALTER INDEX "job_executions_unfinished" SET (deduplicate_items = off);
