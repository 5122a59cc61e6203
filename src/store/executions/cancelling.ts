import type { ExecutionStatus, ExecutionTrigger } from '../../domain/execution/execution.ts';
import type { NewEvent } from '../events/event-log.ts';
import type { Queryable } from '../statements/sql.ts';

/** What of an execution decides whether and how it can be cancelled. */
export interface CancellableExecution {
  id: string;
  jobId: string;
  status: ExecutionStatus;
  /** An attempt was made, so that it waits for a retry rather than for its start. */
  wasStarted: boolean;
  isCancelRequested: boolean;
}

/** Reads an execution and keeps it from being claimed, settled or rescued until the transaction ends. */
export async function lockCancellable(tx: Queryable, id: string): Promise<CancellableExecution | null> {
  const { rows } = await tx.query<CancellableExecution & Record<string, unknown>>({
    name: 'lock-cancellable',
    text: `SELECT id, job_id AS "jobId", status, started_at IS NOT NULL AS "wasStarted",
  cancel_requested_at IS NOT NULL AS "isCancelRequested"
FROM job_executions WHERE id = $1 FOR NO KEY UPDATE`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** Why and when something is cancelled. */
export interface Cancellation {
  now: Date;
  reason: string | null;
}

/**
 * Asks the instance that runs a locked execution to abort its call. One whose callback is awaited is held by nobody: its
 * lease ends, and whoever looks first ends it. The first reason stays.
 */
export async function requestCancellationOf(
  tx: Queryable,
  id: string,
  { now, reason }: Cancellation,
): Promise<void> {
  await tx.query({
    name: 'request-cancellation-of',
    text: `UPDATE job_executions SET cancel_requested_at = $2, cancel_reason = $3,
  lease_expires_at = CASE WHEN callback_deadline_at IS NULL THEN lease_expires_at ELSE $2 END
WHERE id = $1 AND status = 'RUNNING' AND cancel_requested_at IS NULL`,
    values: [id, now, reason],
  });
}

interface CancelledRow {
  jobId: string;
  previousStatus: ExecutionStatus;
  trigger: ExecutionTrigger;
  attemptCount: number;
  createdAt: Date;
  scheduledAt: Date | null;
  startedAt: Date | null;
  durationMs: number | null;
  latenessMs: number | null;
  responseStatus: number | null;
  instanceId: string | null;
}

const CANCEL_WAITING = `
-- cancel-waiting: end a locked execution that waits.
WITH cancelled AS (
  UPDATE job_executions AS e
  SET status = 'CANCELLED', finished_at = $2, cancel_requested_at = coalesce(e.cancel_requested_at, $2),
      cancel_reason = coalesce(e.cancel_reason, $3), error_message = $4,
      -- greatest() passes over a null: without the CASE, what never started would have taken 0 ms.
      duration_ms = CASE WHEN e.started_at IS NOT NULL THEN
        least(greatest(extract(epoch FROM ($2::timestamptz - e.started_at)) * 1000, 0), 2147483647)::int END
  FROM (SELECT id, status FROM job_executions WHERE id = $1) AS before
  WHERE e.id = before.id AND e.status IN ('PENDING', 'BLOCKED', 'RETRYING')
  RETURNING e.*, before.status AS previous_status
)
SELECT job_id AS "jobId", previous_status AS "previousStatus", trigger, attempt_count AS "attemptCount",
  created_at AS "createdAt", scheduled_at AS "scheduledAt", started_at AS "startedAt", duration_ms AS "durationMs",
  lateness_ms AS "latenessMs", response_status AS "responseStatus", claimed_by AS "instanceId"
FROM cancelled`;

/**
 * Ends an execution that waits; it must be locked, and be seen to wait, by this transaction.
 *
 * @param message what its history is to say
 * @returns the event to append
 */
export async function cancelWaiting(
  tx: Queryable,
  id: string,
  { now, reason, message }: Cancellation & { message: string },
): Promise<NewEvent> {
  const { rows } = await tx.query<CancelledRow & Record<string, unknown>>({
    name: 'cancel-waiting',
    text: CANCEL_WAITING,
    values: [id, now, reason, message],
  });
  const [row] = rows;
  if (!row) throw new Error('An execution stopped waiting while it was locked');
  const { attemptCount, ...facts } = row;
  return {
    ...facts,
    at: now,
    kind: 'EXECUTION_CANCELLED',
    executionId: id,
    status: 'CANCELLED',
    attempt: attemptCount === 0 ? null : attemptCount,
    finishedAt: now,
    errorMessage: message,
  };
}
