-- How many executions of a job may be unfinished at once; null leaves it to the concurrency policy.
ALTER TABLE "jobs" ADD COLUMN "max_concurrency" INTEGER;
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_max_concurrency" CHECK ("max_concurrency" BETWEEN 1 AND 1000);

-- Host and port of a URL, as calls are counted by.
CREATE FUNCTION "host_of"("url" TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(lower(substring("url" FROM '://(?:[^/?#]*@)?([^/?#]+)')), '')
$$;

-- The host of the job's URL as it was when the execution was planned.
ALTER TABLE "job_executions" ADD COLUMN "host" TEXT NOT NULL DEFAULT '';

-- The unblocker's only question: which jobs have executions that wait for others to end.
CREATE INDEX "job_executions_blocked" ON "job_executions" ("job_id", "created_at") WHERE "status" = 'BLOCKED';

-- A claim looks past the executions of hosts that are at their limit without reading their rows.
DROP INDEX "job_executions_claim";
CREATE INDEX "job_executions_claim" ON "job_executions" ("priority" DESC, "available_at", "id") INCLUDE ("host")
  WHERE "status" IN ('PENDING', 'RETRYING');
