import type { QueryResultRow } from 'pg';
import type { JobType } from '../../generated/prisma/enums.ts';
import type { CallbackClaim } from '../../domain/execution/callback-token.ts';
import type { ExecutionStatus } from '../../domain/execution/execution.ts';
import type { FailureReason } from '../../domain/execution/outcome.ts';
import type { KeptTimings } from '../../domain/request/outgoing-request.ts';
import type { RetryPolicy } from '../../domain/execution/retry.ts';
import { appendEventsSql, logLockBehind, OF_EXECUTION } from '../events/append-events.ts';
import { retryPolicyOf, type RetryPolicyColumns } from '../../domain/execution/retry-policy-columns.ts';
import type { Settlement } from './settling.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** The parts of an answer that are kept until the callback comes. */
export interface AwaitedResponse {
  headers: Record<string, string> | null;
  timings: KeptTimings | null;
}

/**
 * The start of a wait for a callback, after the target has answered. It has the fields that would settle the attempt
 * if the answer were its end.
 */
export type CallbackWait = Pick<
  Settlement,
  | 'executionId'
  | 'claimSeq'
  | 'attemptFinishedAt'
  | 'responseStatus'
  | 'responseHeaders'
  | 'responseBody'
  | 'responseTruncated'
  | 'timings'
  | 'request'
  | 'log'
> & { deadlineAt: Date };

/**
 * The result of starting a wait. `waiting`: it has begun. `cancelRequested`: it has not, because a user cancelled the
 * execution; the claim is still held. `lost`: the callback came before the answer, or another instance took the
 * claim.
 */
export type WaitStart = 'waiting' | 'cancelRequested' | 'lost';

const START_WAIT = `
-- start to wait for the callback of execution $1: no instance holds it any more, and its lease ends with the
-- deadline.
-- A writer may repeat it after a lost answer. Then it changes nothing and appends no second event.
WITH held AS MATERIALIZED (
  SELECT id, cancel_requested_at IS NOT NULL AS is_cancelled, callback_deadline_at IS NULL AS is_new
  FROM job_executions WHERE id = $1 AND claim_seq = $2 AND status = 'RUNNING'
  FOR NO KEY UPDATE
), waiting AS (
  UPDATE job_executions AS e
  SET lease_expires_at = $4, callback_deadline_at = $4, response_status = $5, response_body = $6,
      response_truncated = $7, awaited_response = $8, request = $9
  FROM held WHERE e.id = held.id AND is_new AND NOT is_cancelled
  RETURNING e.*
), ${logLockBehind('waiting')}, line AS (
  INSERT INTO job_execution_logs (execution_id, position, at, level, message, attempt, metadata)
  SELECT id, nextval('event_log_position_seq'), $3, $10, $11, attempt_count, $12
  FROM log_lock, waiting
), appended AS (
  ${appendEventsSql(
    {
      ...OF_EXECUTION,
      at: '$3',
      kind: `'EXECUTION_CALLBACK_AWAITED'`,
      previousStatus: 'status',
      attempt: 'attempt_count',
      startedAt: 'started_at',
      latenessMs: 'lateness_ms',
      responseStatus: 'response_status',
      instanceId: 'claimed_by',
    },
    'waiting',
  )}
)
SELECT is_cancelled AND is_new AS "isCancelled" FROM held`;

/** Records an answer whose callback is still to come, and gives up the claim. */
export async function startWait(db: Queryable, wait: CallbackWait): Promise<WaitStart> {
  const { request, log } = wait;
  const { rows } = await db.query<{ isCancelled: boolean }>({
    name: 'start-callback-wait',
    text: START_WAIT,
    values: [
      wait.executionId,
      wait.claimSeq,
      wait.attemptFinishedAt,
      wait.deadlineAt,
      wait.responseStatus,
      wait.responseBody,
      wait.responseTruncated,
      toJsonb({ headers: wait.responseHeaders, timings: wait.timings } satisfies AwaitedResponse),
      toJsonb(request),
      log.level,
      log.message,
      toJsonb(log.metadata ?? (request && { method: request.method, url: request.url })),
    ],
  });
  const [held] = rows;
  if (!held) return 'lost';
  return held.isCancelled ? 'cancelRequested' : 'waiting';
}

/** An attempt that a callback may still end, with the fields that decide its next state. */
export interface AwaitedExecution {
  id: string;
  jobId: string;
  jobType: JobType;
  retryPolicy: RetryPolicy | null;
  retryCount: number;
  claimSeq: number;
  attemptCount: number;
  attemptStartedAt: Date;
  cancelRequested: boolean;
  /** Null until the answer is recorded. The fields of the response are null as well. */
  callbackDeadlineAt: Date | null;
  responseStatus: number | null;
  responseBody: string | null;
  responseTruncated: boolean;
  response: AwaitedResponse | null;
}

const AWAITED = `e.id, e.job_id AS "jobId", j.type AS "jobType", e.retry_count AS "retryCount",
  e.claim_seq AS "claimSeq", e.attempt_count AS "attemptCount", e.attempt_started_at AS "attemptStartedAt",
  e.cancel_requested_at IS NOT NULL AS "cancelRequested", e.callback_deadline_at AS "callbackDeadlineAt",
  e.response_status AS "responseStatus", e.response_body AS "responseBody",
  e.response_truncated AS "responseTruncated", e.awaited_response AS response, j.max_retries AS "maxRetries",
  j.backoff_strategy AS "backoffStrategy", j.initial_delay_ms AS "initialDelayMs", j.max_delay_ms AS "maxDelayMs",
  j.retry_jitter AS "retryJitter", j.retry_on AS "retryOn", j.respect_retry_after AS "respectRetryAfter"
FROM job_executions AS e JOIN jobs AS j ON j.id = e.job_id`;

type AwaitedRow = Omit<AwaitedExecution, 'retryPolicy'> & RetryPolicyColumns & QueryResultRow;

/** An execution whose wait is over without a callback. */
export type SilentExecution = AwaitedExecution & { callbackDeadlineAt: Date };

const FIND_SILENT = `
-- find executions whose wait ended by $1, at most $2, without $3: the deadline has passed, or they must be cancelled.
-- The lock skips rows that others hold, and ends with this statement. A later write checks the same claim.
SELECT ${AWAITED}
WHERE e.callback_deadline_at IS NOT NULL AND e.lease_expires_at <= $1 AND e.id <> ALL($3::uuid[])
ORDER BY e.lease_expires_at
LIMIT $2
FOR NO KEY UPDATE OF e SKIP LOCKED`;

/**
 * Finds executions whose wait is over, the oldest end first.
 *
 * @param except executions to exclude
 */
export async function findSilent(
  db: Queryable,
  now: Date,
  { limit, except }: { limit: number; except: readonly string[] },
): Promise<SilentExecution[]> {
  const { rows } = await db.query<AwaitedRow & { callbackDeadlineAt: Date }>({
    name: 'find-silent',
    text: FIND_SILENT,
    values: [now, limit, except],
  });
  return rows.map((row) => ({ retryPolicy: retryPolicyOf(row), ...row }));
}

/** When the next wait ends; null when no execution waits for a callback. */
export async function nextWaitEndAt(db: Queryable): Promise<Date | null> {
  const { rows } = await db.query<{ endsAt: Date | null }>({
    name: 'next-wait-end',
    text: `SELECT min(lease_expires_at) AS "endsAt" FROM job_executions WHERE callback_deadline_at IS NOT NULL`,
  });
  return rows[0]?.endsAt ?? null;
}

/** The execution of a callback as it is now, and the end of the callback's attempt. */
export interface CalledBackExecution extends AwaitedExecution {
  status: ExecutionStatus;
  /** Why that attempt failed; null when it has not. */
  attemptFailureReason: FailureReason | null;
}

/** Reads the execution of a callback; null when it does not exist or was pruned. */
export async function findCalledBack(
  db: Queryable,
  { executionId, attempt }: Pick<CallbackClaim, 'executionId' | 'attempt'>,
): Promise<CalledBackExecution | null> {
  const { rows } = await db.query<AwaitedRow & Pick<CalledBackExecution, 'status' | 'attemptFailureReason'>>({
    name: 'find-called-back',
    text: `SELECT e.status, a.failure_reason AS "attemptFailureReason", ${AWAITED}
LEFT JOIN all_execution_attempts AS a ON a.execution_id = e.id AND a.number = $2
WHERE e.id = $1`,
    values: [executionId, attempt],
  });
  const [row] = rows;
  return row ? { retryPolicy: retryPolicyOf(row), ...row } : null;
}
