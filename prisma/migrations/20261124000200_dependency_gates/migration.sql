-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- How the latest run of a job ended, which decides whether what waits for it may fire: the first entry of a job.
CREATE INDEX "job_executions_ended" ON "job_executions" ("job_id", "finished_at" DESC, "id" DESC)
  WHERE "started_at" IS NOT NULL AND "finished_at" IS NOT NULL;
