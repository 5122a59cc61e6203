-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- One more entry for each end, for what the counts of ends tell by now.
DROP INDEX "job_executions_ended";
