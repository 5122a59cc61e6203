-- The line that tells how an attempt ended named its request's method and URL, which stand in the execution's row anyway. Where
-- it says nothing of its own they are read from there now. A line that has nothing to name says so by JSON's null;
-- those that were written before, by callbacks alone, name their request from now on.
CREATE OR REPLACE VIEW "all_execution_logs" AS
  SELECT "execution_id", "position", "at", "level", "message", "attempt", "metadata"
  FROM "job_execution_logs"
  UNION ALL
  SELECT "id", "log_position", "finished_at", "log_level", "log_message", "attempt_count",
    CASE WHEN "log_metadata" IS NOT NULL THEN nullif("log_metadata", 'null')
      WHEN "request" IS NOT NULL THEN jsonb_build_object('method', "request" -> 'method', 'url', "request" -> 'url') END
  FROM "job_executions" WHERE "log_position" IS NOT NULL;
