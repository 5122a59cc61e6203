import { insertExecutionsSql } from './insert-executions.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** A run that somebody asked for: no slot, due at once. */
export interface NewManualExecution {
  id: string;
  jobId: string;
  now: Date;
  /** Replaces the job's body; undefined leaves it. */
  bodyOverride: unknown;
  idempotencyKey: string | null;
  status: 'PENDING' | 'BLOCKED' | 'SKIPPED';
  /** Why it was skipped. */
  errorMessage: string | null;
}

/**
 * The statement that inserts the executions that a parameter holds. The transaction must hold their jobs' rows, so that a
 * key cannot be taken meanwhile.
 *
 * The body comes as text: JSON's null, which sends no body, would become SQL's, which leaves the job's.
 */
export function insertManualExecutionsSql(parameter: string): string {
  return insertExecutionsSql(
    {
      id: 'e.id',
      jobId: 'j.id',
      status: 'e.status',
      trigger: `'MANUAL'`,
      createdAt: 'e.now',
      availableAt: 'e.now',
      priority: 'j.priority',
      host: 'host_of(j.api)',
      maxAttempts: '1 + coalesce(j.max_retries, 0)',
      bodyOverride: 'e.body::jsonb',
      idempotencyKey: 'e."idempotencyKey"',
      skip: { reason: `'OVERLAP'::skip_reason`, errorMessage: 'e."errorMessage"' },
    },
    `jsonb_to_recordset(${parameter}::jsonb) AS e(id uuid, "jobId" uuid, status execution_status, now timestamptz,
    body text, "idempotencyKey" text, "errorMessage" text)
  JOIN jobs AS j ON j.id = e."jobId"`,
  );
}

/** What {@link insertManualExecutionsSql} reads of an execution. */
export function manualExecutionRow({ bodyOverride, ...execution }: NewManualExecution): object {
  return { ...execution, body: bodyOverride === undefined ? null : toJsonb(bodyOverride) };
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
