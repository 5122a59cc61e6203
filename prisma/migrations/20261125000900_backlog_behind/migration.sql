-- Claims take what makes up for missed slots after all else, whatever waits longer.
DROP INDEX "job_executions_claim";
CREATE INDEX "job_executions_claim"
  ON "job_executions" (("trigger" = 'CATCH_UP'), "priority" DESC, "available_at", "id") INCLUDE ("host", "trigger")
  WHERE "status" IN ('PENDING', 'RETRYING');

-- The claim's index answers its question too. As long as the statistics do not know of a backlog, the planner held it for
-- as good a way to read what is due, and sorted all of it for every claim.
DROP INDEX "job_executions_available";
