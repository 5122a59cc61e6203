-- CreateTable
CREATE TABLE "job_status_counts" (
    "id" BIGSERIAL NOT NULL,
    "status" "job_status" NOT NULL,
    "jobs" INTEGER NOT NULL,

    CONSTRAINT "job_status_counts_pkey" PRIMARY KEY ("id")
);

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- How many jobs have each status is the sum of its rows: a hundred thousand jobs would else be read for three numbers.
-- Each change of a status adds rows, instead of changing one that all changes would wait for; the pruner sums them up.
-- By triggers, since a job's status is written by many statements, and one that was forgotten would never be noticed.
INSERT INTO "job_status_counts" ("status", "jobs") SELECT "status", count(*) FROM "jobs" GROUP BY 1;

CREATE FUNCTION "count_added_jobs"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_status_counts (status, jobs) SELECT status, count(*) FROM added GROUP BY 1;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_removed_jobs"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_status_counts (status, jobs) SELECT status, -count(*) FROM removed GROUP BY 1;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_changed_job"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO job_status_counts (status, jobs) VALUES (OLD.status, -1), (NEW.status, 1);
  RETURN NULL;
END $$;

CREATE FUNCTION "count_no_jobs"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM job_status_counts;
  RETURN NULL;
END $$;

CREATE TRIGGER "jobs_count_added" AFTER INSERT ON "jobs"
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "count_added_jobs"();
CREATE TRIGGER "jobs_count_removed" AFTER DELETE ON "jobs"
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION "count_removed_jobs"();
CREATE TRIGGER "jobs_count_truncated" AFTER TRUNCATE ON "jobs"
  FOR EACH STATEMENT EXECUTE FUNCTION "count_no_jobs"();
-- The planner writes the status of every job that it moves on, and changes it of hardly any: those do not get here.
CREATE TRIGGER "jobs_count_changed" AFTER UPDATE OF "status" ON "jobs"
  FOR EACH ROW WHEN (OLD."status" IS DISTINCT FROM NEW."status") EXECUTE FUNCTION "count_changed_job"();
