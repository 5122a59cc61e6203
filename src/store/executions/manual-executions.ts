import { appendBehind, appendEventsSql, logLockBehind, type NewEvent } from '../events/append-events.ts';
import { insertAuditFrom } from '../events/audit-log.ts';
import { insertExecutionsSql } from './insert-executions.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** A run that a user asks for. It has no slot and is due at once. */
export interface ManualExecution {
  id: string;
  jobId: string;
  /** PENDING when absent. */
  status?: 'PENDING' | 'BLOCKED' | 'SKIPPED';
  /** Why it is skipped. */
  errorMessage?: string | null;
  /** Replaces the job's body; null sends none; undefined keeps the job's. */
  body?: unknown;
  idempotencyKey?: string | null | undefined;
  auditId: string;
  /** The entry's new values in the audit log. */
  after: Record<string, unknown>;
}

/** When runs are asked for, and who asks. */
export interface ManualOrigin {
  now: Date;
  actor: string;
  requestId: string | null;
  address: string | null;
}

/**
 * The CTE `run`: the runs of $2 in their order, with the fields that an execution takes from its job. The body comes
 * as text. JSON's null sends no body, but as SQL's null it would keep the job's body.
 *
 * @param jobs a table or CTE
 */
const runOf = (jobs: string): string => `run AS MATERIALIZED (
  SELECT r.*, j.priority, j.max_retries, j.api
  FROM ROWS FROM (jsonb_to_recordset($2::jsonb) AS (id uuid, "jobId" uuid, status execution_status, "errorMessage" text,
    body text, "idempotencyKey" text, "auditId" uuid, after jsonb)) WITH ORDINALITY AS r
  JOIN ${jobs} AS j ON j.id = r."jobId"
  ORDER BY r.ordinality
)`;

const NOW = '$3::timestamptz';
const IS_SKIPPED = `status = 'SKIPPED'`;

const WRITES = {
  execution: insertExecutionsSql(
    {
      id: 'id',
      jobId: '"jobId"',
      status: 'status',
      trigger: `'MANUAL'`,
      createdAt: NOW,
      availableAt: NOW,
      priority: 'priority',
      host: 'host_of(api)',
      maxAttempts: '1 + coalesce(max_retries, 0)',
      bodyOverride: 'body::jsonb',
      idempotencyKey: '"idempotencyKey"',
      skip: { reason: `'OVERLAP'::skip_reason`, errorMessage: '"errorMessage"' },
    },
    'run',
  ),
  audit:
    insertAuditFrom(`(SELECT "auditId" AS id, ${NOW} AS at, 'TRIGGERED'::audit_action AS action, $4 AS actor, "jobId",
    NULL::jsonb AS before, after, $5 AS "requestId", $6 AS address FROM run) AS entry`),
};

const EVENT = {
  at: NOW,
  kind: `(CASE WHEN ${IS_SKIPPED} THEN 'EXECUTION_SKIPPED' ELSE 'EXECUTION_PLANNED' END)::event_kind`,
  jobId: '"jobId"',
  executionId: 'id',
  status: 'status',
  trigger: `'MANUAL'::execution_trigger`,
  createdAt: NOW,
  finishedAt: `CASE WHEN ${IS_SKIPPED} THEN ${NOW} END`,
  errorMessage: '"errorMessage"',
};

const INSERT_ADMITTED = appendBehind(WRITES, {
  before: runOf('jobs'),
  then: { events: EVENT, from: 'run' },
});

/**
 * Inserts executions as they were admitted and writes them down: the last statement of a transaction that holds their jobs'
 * rows.
 *
 * @param events appended before those of the executions
 */
export async function insertAdmitted(
  tx: Queryable,
  executions: readonly ManualExecution[],
  origin: ManualOrigin,
  events: readonly NewEvent[],
): Promise<void> {
  await tx.query({
    name: 'insert-admitted-runs',
    text: INSERT_ADMITTED,
    values: [toJsonb(events), ...valuesOf(executions, origin)],
  });
}

const INSERT_UNLIMITED = `
-- run jobs that nothing has to be counted for, in one statement, and tell the log. Others that the array names are left out.
WITH job AS MATERIALIZED (
  SELECT id, priority, max_retries, api FROM jobs
  WHERE id = ANY($1::uuid[]) AND status <> 'DELETED' AND concurrency_policy = 'ALLOW' AND max_concurrency IS NULL
  ORDER BY id FOR NO KEY UPDATE
), ${runOf('job')}, ${Object.entries(WRITES)
  .map(([name, write]) => `${name} AS (\n  ${write}\n  RETURNING 1\n)`)
  .join(', ')}, ${logLockBehind(...Object.keys(WRITES))}, appended AS (
  ${appendEventsSql(EVENT, 'run')}
)
SELECT id FROM run`;

/**
 * Inserts executions of jobs that are live and have no limit of concurrency, and writes them down: by one statement, which
 * may be its own transaction.
 *
 * @returns ids of the executions that were made
 */
export async function insertUnlimited(
  db: Queryable,
  executions: readonly ManualExecution[],
  origin: ManualOrigin,
): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>({
    name: 'insert-unlimited-runs',
    text: INSERT_UNLIMITED,
    values: [executions.map(({ jobId }) => jobId), ...valuesOf(executions, origin)],
  });
  return new Set(rows.map(({ id }) => id));
}

function valuesOf(
  executions: readonly ManualExecution[],
  { now, actor, requestId, address }: ManualOrigin,
): unknown[] {
  return [toJsonb(executions.map(rowOf)), now, actor, requestId, address];
}

function rowOf({ body, status = 'PENDING', ...execution }: ManualExecution): object {
  return { status, body: body === undefined ? undefined : toJsonb(body), ...execution };
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
