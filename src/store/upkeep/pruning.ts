import type { Queryable } from '../statements/sql.ts';

const PRUNE_EXECUTIONS = `
-- delete up to $2 executions that finished before $1; attempts, logs and dead letters go with them.
-- A skipped slot is finished before its time. Its row stays until the slot is old enough too.
-- An open dead letter needs a decision: its execution stays until it is redriven or discarded.
-- SKIP LOCKED: instances that prune at the same time take different rows and do not deadlock.
WITH doomed AS MATERIALIZED (
  SELECT e.id FROM job_executions AS e
  WHERE e.finished_at < $1 AND (e.scheduled_at IS NULL OR e.scheduled_at < $1)
    AND NOT EXISTS (SELECT FROM failed_jobs_dlq AS d
      WHERE d.execution_id = e.id AND d.redriven_at IS NULL AND d.discarded_at IS NULL)
  ORDER BY e.finished_at
  LIMIT $2
  FOR UPDATE OF e SKIP LOCKED
)
DELETE FROM job_executions WHERE id IN (SELECT id FROM doomed)`;

const PRUNE_AUDIT_LOG = `
-- delete up to $2 entries from before $1, oldest first.
-- SKIP LOCKED: as above.
WITH doomed AS MATERIALIZED (
  SELECT id FROM job_audit_log WHERE at < $1 ORDER BY at, id LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM job_audit_log WHERE id IN (SELECT id FROM doomed)`;

/** Deletes a batch of audit entries. Returns how many. */
export async function pruneAuditLog(db: Queryable, before: Date, limit: number): Promise<number> {
  const { rowCount } = await db.query({ text: PRUNE_AUDIT_LOG, values: [before, limit] });
  return rowCount ?? 0;
}

/** Deletes a batch of finished executions. Returns how many. */
export async function pruneExecutions(db: Queryable, finishedBefore: Date, limit: number): Promise<number> {
  const { rowCount } = await db.query({ text: PRUNE_EXECUTIONS, values: [finishedBefore, limit] });
  return rowCount ?? 0;
}
