-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- How the latest run of a job ended, as before. Downwards, each end came before all others of its job, into the middle of a
-- page that had to be halved; upwards it comes behind them. Ends of a job at the same moment are so few that they are sorted
-- when they are read.
DROP INDEX "job_executions_ended";
CREATE INDEX "job_executions_ended" ON "job_executions" ("job_id", "finished_at")
  WHERE "started_at" IS NOT NULL AND "finished_at" IS NOT NULL;
