-- Most jobs have no key. Each time that one of those moves on to its next run, its row had an entry here all the same: one
-- of six, and a sixteenth of the statement that starts slots.
DROP INDEX "jobs_key_unique";
CREATE UNIQUE INDEX "jobs_key_unique" ON "jobs" ("key") WHERE "deleted_at" IS NULL AND "key" IS NOT NULL;
