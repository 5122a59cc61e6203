-- How many executions there are is kept as well: a list that shows it beside its first page would count all of them.
ALTER TABLE "execution_counts" DROP CONSTRAINT "execution_counts_kind";
ALTER TABLE "execution_counts" ADD CONSTRAINT "execution_counts_kind"
  CHECK ("kind" IN ('ALL', 'PENDING', 'BLOCKED', 'RUNNING', 'RETRYING', 'OPEN_DEAD_LETTER'));

CREATE OR REPLACE FUNCTION "count_added_executions"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count_executions(array_agg(kind), array_agg(n)) FROM (
    SELECT 'ALL' AS kind, count(*)::int AS n FROM added
    UNION ALL SELECT status::text, count(*)::int FROM added WHERE finished_at IS NULL GROUP BY 1) AS counted;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION "count_removed_executions"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM count_executions(array_agg(kind), array_agg(n)) FROM (
    SELECT 'ALL' AS kind, -count(*)::int AS n FROM removed
    UNION ALL SELECT status::text, -count(*)::int FROM removed WHERE finished_at IS NULL GROUP BY 1) AS counted;
  RETURN NULL;
END $$;

-- Nobody writes until the end of this migration: what is counted is what the triggers have not seen.
LOCK TABLE "job_executions" IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO "execution_counts" ("kind", "executions") SELECT 'ALL', count(*) FROM "job_executions" HAVING count(*) > 0;
