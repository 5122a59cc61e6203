import type { Queryable } from './sql.ts';
import { toJsonb } from './sql.ts';

/** A run that somebody asked for: no slot, due at once. */
export interface NewManualExecution {
  id: string;
  jobId: string;
  now: Date;
  maxAttempts: number;
  priority: number;
  /** Replaces the job's body; undefined leaves it. */
  bodyOverride: unknown;
  idempotencyKey: string | null;
}

const INSERT = `
-- insert a manual execution, or answer with the one that the same key made before.
-- DO NOTHING waits for a transaction that is inserting the same key, so the row that is then read is committed.
INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, max_attempts, priority, body_override,
  idempotency_key)
VALUES ($1, $2, 'PENDING', 'MANUAL', $3, $3, $4, $5, $6::jsonb, $7)
ON CONFLICT (job_id, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING`;

/**
 * Inserts the execution.
 *
 * @returns the id of the execution that now bears the idempotency key, and whether this call created it
 */
export async function insertManualExecution(
  tx: Queryable,
  execution: NewManualExecution,
): Promise<{ id: string; created: boolean }> {
  const { id, jobId, now, maxAttempts, priority, bodyOverride, idempotencyKey } = execution;
  const body = bodyOverride === undefined ? null : toJsonb(bodyOverride);
  const inserted = await tx.query({
    name: 'insert-manual-execution',
    text: INSERT,
    values: [id, jobId, now, maxAttempts, priority, body, idempotencyKey],
  });
  if (inserted.rowCount === 1) return { id, created: true };

  const { rows } = await tx.query<{ id: string }>({
    name: 'execution-by-idempotency-key',
    text: 'SELECT id FROM job_executions WHERE job_id = $1 AND idempotency_key = $2',
    values: [jobId, idempotencyKey],
  });
  const [first] = rows;
  if (!first) throw new Error('An execution conflicted with an idempotency key that no execution has');
  return { id: first.id, created: false };
}
