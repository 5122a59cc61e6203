import { randomUUID } from 'node:crypto';
import type { Pool, QueryResultRow } from 'pg';
import type { ExecutionStatus } from '../../src/domain/execution/execution.ts';
import { maskUrl } from '../../src/domain/request/secrets.ts';
import type { EndCounts } from '../../src/domain/metrics/metrics-series.ts';
import { ALL_JOBS } from '../../src/store/metrics/rollups.ts';
import { START, plus } from './manual-clock.ts';

/** A row as PostgreSQL names its columns. */
export type Row = Record<string, unknown>;

/**
 * Inserts a row of any table. Objects go in as JSON; arrays as PostgreSQL's arrays; buffers as bytes.
 *
 * @returns the row as it was stored, defaults included
 */
export async function insertRow(pool: Pool, table: string, row: Row): Promise<Row> {
  const columns = Object.keys(row);
  const marks = columns.map((_, index) => `$${index + 1}`);
  const { rows } = await pool.query<Row & QueryResultRow>(
    `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${marks.join(', ')}) RETURNING *`,
    Object.values(row).map(asParameter),
  );
  return rows[0] ?? {};
}

function asParameter(value: unknown): unknown {
  const isJson =
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof Date) &&
    !Buffer.isBuffer(value) &&
    !Array.isArray(value);
  return isJson ? JSON.stringify(value) : value;
}

/** An active job with neither schedule nor next run, unless the test says otherwise. Answers its id. */
export async function insertJob(pool: Pool, overrides: Row = {}): Promise<string> {
  const { api = 'http://127.0.0.1:9/unreachable' } = overrides;
  const row = await insertRow(pool, 'jobs', {
    id: randomUUID(),
    name: 'Job of a test',
    api,
    shown_api: maskUrl(api as string),
    created_at: START,
    updated_at: START,
    ...overrides,
  });
  return row['id'] as string;
}

/** The retry columns of a job, all set. */
export const RETRIES = {
  max_retries: 3,
  backoff_strategy: 'FIXED',
  initial_delay_ms: 1_000,
  max_delay_ms: 60_000,
  retry_jitter: 0,
  retry_on: ['5xx'],
  respect_retry_after: true,
} as const;

const LEASE_MS = 30_000;

/** What each status requires of its row, for an execution that became available at `at`. */
const FACTS: Record<ExecutionStatus, (at: Date) => Row> = {
  PENDING: () => ({}),
  BLOCKED: () => ({}),
  RUNNING: (at) => ({ ...started(at), lease_expires_at: plus(at, LEASE_MS) }),
  RETRYING: (at) => ({ ...started(at), retry_count: 1, max_attempts: 2, error_message: 'Status 503.' }),
  SUCCESS: (at) => ({ ...started(at), ...finished(at), response_status: 200, response_body: 'ok' }),
  FAILED: (at) => ({
    ...started(at),
    ...finished(at),
    response_status: 500,
    failure_reason: 'HTTP_STATUS',
    error_message: 'Status 500.',
  }),
  CANCELLED: (at) => ({ finished_at: at }),
  SKIPPED: (at) => ({ finished_at: at, skip_reason: 'MISFIRE' }),
};

function started(at: Date): Row {
  return {
    started_at: at,
    attempt_started_at: at,
    attempt_count: 1,
    claim_seq: 1,
    claimed_by: 'another-instance',
    lateness_ms: 0,
  };
}

function finished(at: Date): Row {
  return { finished_at: plus(at, 100), duration_ms: 100 };
}

/**
 * An execution whose row is as the scheduler itself would have left it in that status, dead letter included. It is a
 * manual run, so that many of one job may exist, unless the overrides say otherwise. Answers its id.
 */
export async function insertExecution(
  pool: Pool,
  jobId: string,
  status: ExecutionStatus,
  { at = START, ...overrides }: Row & { at?: Date } = {},
): Promise<string> {
  const row = await insertRow(pool, 'job_executions', {
    id: randomUUID(),
    job_id: jobId,
    status,
    trigger: 'MANUAL',
    created_at: at,
    available_at: at,
    ...FACTS[status](at),
    ...overrides,
  });
  const id = row['id'] as string;
  if (status === 'FAILED') {
    await insertRow(pool, 'failed_jobs_dlq', {
      execution_id: id,
      job_id: jobId,
      failure_reason: row['failure_reason'],
      error_message: row['error_message'],
      failed_at: row['finished_at'],
    });
  }
  return id;
}

/** One row by its id; an empty one where there is none. */
export async function readRow(pool: Pool, table: string, id: string): Promise<Row> {
  const { rows } = await pool.query<Row & QueryResultRow>(`SELECT * FROM ${table} WHERE id = $1`, [id]);
  return rows[0] ?? {};
}

export async function readExecution(pool: Pool, id: string): Promise<Row> {
  return readRow(pool, 'job_executions', id);
}

/** A job's executions in the order of their slots. */
export async function executionsOf(pool: Pool, jobId: string): Promise<Row[]> {
  const { rows } = await pool.query<Row & QueryResultRow>(
    'SELECT * FROM job_executions WHERE job_id = $1 ORDER BY scheduled_at, created_at, id',
    [jobId],
  );
  return rows;
}

/** An execution's attempts in order. */
export async function attemptsOf(pool: Pool, executionId: string): Promise<Row[]> {
  const { rows } = await pool.query<Row & QueryResultRow>(
    'SELECT * FROM all_execution_attempts WHERE execution_id = $1 ORDER BY number',
    [executionId],
  );
  return rows;
}

/** An execution's log, line by line. */
export async function logLinesOf(pool: Pool, executionId: string): Promise<Row[]> {
  const { rows } = await pool.query<Row & QueryResultRow>(
    'SELECT * FROM all_execution_logs WHERE execution_id = $1 ORDER BY position',
    [executionId],
  );
  return rows;
}

/** All that the scheduler keeps of an execution, to compare before and after. */
export async function everythingOf(pool: Pool, executionId: string): Promise<Row> {
  const related = (table: string, order: string) =>
    `(SELECT json_agg(r ORDER BY ${order}) FROM ${table} AS r WHERE execution_id = $1) AS ${table}`;
  const { rows } = await pool.query<Row & QueryResultRow>(
    `SELECT (SELECT to_json(e) FROM job_executions AS e WHERE id = $1) AS execution,
      ${related('all_execution_attempts', 'number')}, ${related('all_execution_logs', 'position')},
      ${related('event_log', 'position')}, ${related('failed_jobs_dlq', 'failed_at')},
      (SELECT json_agg(r) FROM job_execution_rollups AS r) AS rollups`,
    [executionId],
  );
  return rows[0] ?? {};
}

/** The log's events in order: of one job, or all. */
export async function eventsOf(pool: Pool, jobId?: string): Promise<Row[]> {
  const { rows } = await pool.query<Row & QueryResultRow>(
    'SELECT * FROM event_log WHERE $1::uuid IS NULL OR job_id = $1 ORDER BY position',
    [jobId ?? null],
  );
  return rows;
}

export async function eventKindsOf(pool: Pool, jobId?: string): Promise<unknown[]> {
  return (await eventsOf(pool, jobId)).map((event) => event['kind']);
}

/** What has been counted of a job's ends in all buckets together; of all jobs' where no job is named. */
export async function endCountsOf(pool: Pool, jobId: string = ALL_JOBS): Promise<EndCounts> {
  const { rows } = await pool.query<EndCounts & QueryResultRow>(
    `SELECT coalesce(sum(success_count), 0)::int AS success, coalesce(sum(failed_count), 0)::int AS failed,
       coalesce(sum(cancelled_count), 0)::int AS cancelled, coalesce(sum(skipped_count), 0)::int AS skipped,
       coalesce(sum(retry_count), 0)::int AS retries, coalesce(sum(duration_sum_ms), 0)::int AS "durationSumMs"
     FROM job_execution_rollups WHERE job_id = $1`,
    [jobId],
  );
  return rows[0] ?? NO_ENDS;
}

export const NO_ENDS: EndCounts = {
  success: 0,
  failed: 0,
  cancelled: 0,
  skipped: 0,
  retries: 0,
  durationSumMs: 0,
};

/** How many executions there are of each status that any has. */
export async function executionCounts(pool: Pool): Promise<Record<string, number>> {
  const { rows } = await pool.query<{ status: string; n: number }>(
    'SELECT status, count(*)::int AS n FROM job_executions GROUP BY 1',
  );
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
}

/** The one row of a statement that counts something. */
export async function count(pool: Pool, from: string, values: unknown[] = []): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${from}`, values);
  return rows[0]?.count ?? 0;
}
