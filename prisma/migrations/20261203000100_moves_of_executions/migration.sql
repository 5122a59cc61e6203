-- The moves of TRANSITIONS in src/domain/execution/execution.ts, and no others: tests/store/state-machine.test.ts compares.
-- AFTER, since a BEFORE trigger locks each row once more, which is WAL; where the condition does not hold, nothing is called.
CREATE FUNCTION "refuse_execution_move"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'An execution cannot move from % to %', OLD.status, NEW.status
    USING ERRCODE = 'check_violation', TABLE = 'job_executions', CONSTRAINT = 'job_executions_moves';
END $$;

CREATE TRIGGER "job_executions_moves" AFTER UPDATE OF "status" ON "job_executions" FOR EACH ROW
  WHEN (OLD."status" <> NEW."status" AND NOT (
    OLD."status" = 'RUNNING' AND NEW."status" IN ('SUCCESS', 'FAILED', 'CANCELLED', 'RETRYING', 'PENDING')
    OR NEW."status" = 'RUNNING' AND OLD."status" IN ('PENDING', 'RETRYING')
    OR NEW."status" = 'CANCELLED' AND OLD."status" IN ('PENDING', 'BLOCKED', 'RETRYING')
    OR NEW."status" = 'PENDING' AND OLD."status" = 'BLOCKED'))
  EXECUTE FUNCTION "refuse_execution_move"();
