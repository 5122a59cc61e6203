-- An execution is in this table three times in its life: planned, claimed, ended; each time each index that holds it costs
-- an entry. This one held them all, though hardly any execution redrives another.
DROP INDEX "job_executions_redrive_of_id_idx";

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

CREATE INDEX "job_executions_redrive_of" ON "job_executions" ("redrive_of_id") WHERE "redrive_of_id" IS NOT NULL;

-- Every order in which jobs can be listed is that of an index, walked from either end: over those that have the key, and
-- over those that have none, which stand behind all others and lie in the index side by side.
DROP INDEX "jobs_due";
CREATE INDEX "jobs_due" ON "jobs" ("next_run_at", "id");
-- By deleted_at, not by status: what Prisma asks of an enum PostgreSQL cannot compare with an index's condition, since it
-- casts from text.
DROP INDEX "jobs_key_unique";
CREATE UNIQUE INDEX "jobs_key_unique" ON "jobs" ("key") WHERE "deleted_at" IS NULL;

-- So can executions, but these indexes hold only those that have ended, each by one entry, written as it ends. The others
-- are few, are read through the next index and sorted.
DROP INDEX "job_executions_finished_at";
CREATE INDEX "job_executions_finished_at" ON "job_executions" ("finished_at", "id") WHERE "finished_at" IS NOT NULL;
CREATE INDEX "job_executions_ended_started_at" ON "job_executions" ("started_at", "id") WHERE "finished_at" IS NOT NULL;
CREATE INDEX "job_executions_ended_scheduled_at" ON "job_executions" ("scheduled_at", "id") WHERE "finished_at" IS NOT NULL;

DROP INDEX "job_executions_unfinished";
CREATE INDEX "job_executions_unfinished" ON "job_executions" ("job_id", "created_at") WHERE "finished_at" IS NULL;
-- The few that failed, or were left out, are found among all others without reading those.
CREATE INDEX "job_executions_failed" ON "job_executions" ("created_at", "id") WHERE "failure_reason" IS NOT NULL;
CREATE INDEX "job_executions_skipped" ON "job_executions" ("created_at", "id") WHERE "skip_reason" IS NOT NULL;
