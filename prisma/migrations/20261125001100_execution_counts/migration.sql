-- CreateTable
CREATE TABLE "execution_counts" (
    "id" BIGSERIAL NOT NULL,
    "kind" TEXT NOT NULL,
    "executions" INTEGER NOT NULL,

    CONSTRAINT "execution_counts_pkey" PRIMARY KEY ("id")
);

-- ── What Prisma cannot say ──────────────────────────────────────────────────────────────────────

-- How many executions there are, how many have each status that is not final, and how many dead letters are open, are the
-- sums of its rows: millions of rows would else be read for a handful of numbers. As with the counts of jobs, each statement that changes
-- something adds rows, and triggers do so, since many statements do.
ALTER TABLE "execution_counts"
  ADD CONSTRAINT "execution_counts_kind" CHECK ("kind" IN ('ALL', 'PENDING', 'BLOCKED', 'RUNNING', 'RETRYING', 'OPEN_DEAD_LETTER'));
ALTER TABLE "execution_counts" SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_cost_delay = 0);

-- Adds rows, and every 64th time sums up what is there. SKIP LOCKED: nobody waits for whoever does the same, or has done so
-- in a transaction that goes on; both leave the sum as it is.
CREATE FUNCTION "count_executions"("kinds" TEXT[], "changes" INTEGER[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  last BIGINT;
BEGIN
  INSERT INTO execution_counts (kind, executions)
    SELECT kind, sum(change) FROM unnest(kinds, changes) AS c(kind, change) GROUP BY 1 HAVING sum(change) <> 0;
  IF NOT FOUND THEN RETURN; END IF;
  last := currval('execution_counts_id_seq');
  IF last % 64 >= 4 THEN RETURN; END IF;
  WITH gone AS (
    DELETE FROM execution_counts WHERE id IN (SELECT id FROM execution_counts LIMIT 1000 FOR UPDATE SKIP LOCKED)
    RETURNING kind, executions
  )
  INSERT INTO execution_counts (kind, executions)
    SELECT kind, sum(executions) FROM gone GROUP BY 1 HAVING sum(executions) <> 0;
END $$;

CREATE FUNCTION "count_added_executions"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count_executions(array_agg(kind), array_agg(n)) FROM (
    SELECT 'ALL' AS kind, count(*)::int AS n FROM added
    UNION ALL SELECT status::text, count(*)::int FROM added WHERE finished_at IS NULL GROUP BY 1) AS counted;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_changed_executions"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count_executions(array_agg(status::text), array_agg(n)) FROM (
    SELECT status, -count(*)::int AS n FROM removed WHERE finished_at IS NULL GROUP BY 1
    UNION ALL SELECT status, count(*)::int FROM added WHERE finished_at IS NULL GROUP BY 1) AS counted;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_removed_executions"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count_executions(array_agg(kind), array_agg(n)) FROM (
    SELECT 'ALL' AS kind, -count(*)::int AS n FROM removed
    UNION ALL SELECT status::text, -count(*)::int FROM removed WHERE finished_at IS NULL GROUP BY 1) AS counted;
  RETURN NULL;
END $$;

CREATE FUNCTION "count_no_executions"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM execution_counts WHERE kind <> 'OPEN_DEAD_LETTER';
  RETURN NULL;
END $$;

CREATE FUNCTION "count_added_dead_letters"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count_executions(ARRAY['OPEN_DEAD_LETTER'], ARRAY[(
    SELECT count(*)::int FROM added WHERE redriven_at IS NULL AND discarded_at IS NULL)]);
  RETURN NULL;
END $$;

CREATE FUNCTION "count_changed_dead_letters"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count_executions(ARRAY['OPEN_DEAD_LETTER'], ARRAY[(
    SELECT count(*)::int FROM added WHERE redriven_at IS NULL AND discarded_at IS NULL) - (
    SELECT count(*)::int FROM removed WHERE redriven_at IS NULL AND discarded_at IS NULL)]);
  RETURN NULL;
END $$;

CREATE FUNCTION "count_removed_dead_letters"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count_executions(ARRAY['OPEN_DEAD_LETTER'], ARRAY[(
    SELECT -count(*)::int FROM removed WHERE redriven_at IS NULL AND discarded_at IS NULL)]);
  RETURN NULL;
END $$;

CREATE FUNCTION "count_no_dead_letters"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM execution_counts WHERE kind = 'OPEN_DEAD_LETTER';
  RETURN NULL;
END $$;

CREATE TRIGGER "job_executions_count_added" AFTER INSERT ON "job_executions"
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "count_added_executions"();
CREATE TRIGGER "job_executions_count_changed" AFTER UPDATE ON "job_executions"
  REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "count_changed_executions"();
CREATE TRIGGER "job_executions_count_removed" AFTER DELETE ON "job_executions"
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION "count_removed_executions"();
CREATE TRIGGER "job_executions_count_truncated" AFTER TRUNCATE ON "job_executions"
  FOR EACH STATEMENT EXECUTE FUNCTION "count_no_executions"();

CREATE TRIGGER "failed_jobs_dlq_count_added" AFTER INSERT ON "failed_jobs_dlq"
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "count_added_dead_letters"();
CREATE TRIGGER "failed_jobs_dlq_count_changed" AFTER UPDATE ON "failed_jobs_dlq"
  REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION "count_changed_dead_letters"();
CREATE TRIGGER "failed_jobs_dlq_count_removed" AFTER DELETE ON "failed_jobs_dlq"
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION "count_removed_dead_letters"();
CREATE TRIGGER "failed_jobs_dlq_count_truncated" AFTER TRUNCATE ON "failed_jobs_dlq"
  FOR EACH STATEMENT EXECUTE FUNCTION "count_no_dead_letters"();

-- Behind the triggers, whose creation keeps all others from writing until the end of this migration.
INSERT INTO "execution_counts" ("kind", "executions")
  SELECT 'ALL', count(*) FROM "job_executions" HAVING count(*) > 0
  UNION ALL SELECT "status"::text, count(*) FROM "job_executions" WHERE "finished_at" IS NULL GROUP BY 1
  UNION ALL SELECT 'OPEN_DEAD_LETTER', count(*) FROM "failed_jobs_dlq" WHERE "redriven_at" IS NULL AND "discarded_at" IS NULL;
