-- Few executions are redrives; an entry for each of the others, at each change of its status, served nobody.
DROP INDEX "job_executions_redrive_of_id_idx";
CREATE INDEX "job_executions_redrives" ON "job_executions" ("redrive_of_id") WHERE "redrive_of_id" IS NOT NULL;
