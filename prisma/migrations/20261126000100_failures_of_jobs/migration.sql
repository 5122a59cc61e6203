-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- A job's last failures are found without reading what did not fail, also where there are none. Only an execution that fails
-- is written to it, once.
CREATE INDEX "job_executions_failed_of_job" ON "job_executions" ("job_id", "created_at", "id") WHERE "failure_reason" IS NOT NULL;
