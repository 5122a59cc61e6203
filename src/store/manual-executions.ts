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
  status: 'PENDING' | 'BLOCKED' | 'SKIPPED';
  /** Why it was skipped. */
  errorMessage: string | null;
}

const INSERT = `
-- insert a manual execution. The transaction holds the job's row, so a key cannot be taken meanwhile.
INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, finished_at, max_attempts, priority, host,
  body_override, idempotency_key, skip_reason, error_message)
VALUES ($1, $2, $3, 'MANUAL', $4, $4, CASE WHEN $3 = 'SKIPPED'::execution_status THEN $4::timestamptz END, $5, $6,
  (SELECT host_of(api) FROM jobs WHERE id = $2), $7::jsonb, $8,
  CASE WHEN $3 = 'SKIPPED'::execution_status THEN 'OVERLAP'::skip_reason END, $9)`;

/** Inserts the execution; its job's row must be locked by the transaction. */
export async function insertManualExecution(tx: Queryable, execution: NewManualExecution): Promise<void> {
  const { id, jobId, status, now, maxAttempts, priority, bodyOverride, idempotencyKey, errorMessage } =
    execution;
  const body = bodyOverride === undefined ? null : toJsonb(bodyOverride);
  await tx.query({
    name: 'insert-manual-execution',
    text: INSERT,
    values: [id, jobId, status, now, maxAttempts, priority, body, idempotencyKey, errorMessage],
  });
}

/** The execution of the job that an idempotency key made; null where there is none. */
export async function findByIdempotencyKey(
  tx: Queryable,
  jobId: string,
  idempotencyKey: string,
): Promise<string | null> {
  const { rows } = await tx.query<{ id: string }>({
    name: 'execution-by-idempotency-key',
    text: 'SELECT id FROM job_executions WHERE job_id = $1 AND idempotency_key = $2',
    values: [jobId, idempotencyKey],
  });
  return rows[0]?.id ?? null;
}
