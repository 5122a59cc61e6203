import type { ExecutionStatus } from '../../domain/execution/execution.ts';
import type { NewEvent } from '../events/append-events.ts';
import type { Queryable } from '../statements/sql.ts';
import { CANCELLED_ROW, type CancelledRow, cancelledEvent, SET_CANCELLED } from './cancelled-rows.ts';
import { isWaiting } from './transitions.ts';

/** The fields of an execution that decide whether and how it can be cancelled. */
export interface CancellableExecution {
  id: string;
  jobId: string;
  status: ExecutionStatus;
  /** An attempt was made, so the execution waits for a retry and not for its start. */
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
 * Asks the instance that runs a locked execution to abort its call. No instance holds an execution that waits for its
 * callback: this ends its lease, and the first callback watch that looks ends the wait. The first reason stays.
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

const CANCEL_WAITING = `
-- cancel-waiting: end a locked execution that waits.
WITH cancelled AS (
  UPDATE job_executions AS e SET ${SET_CANCELLED}, error_message = $4
  FROM (SELECT id, status FROM job_executions WHERE id = $1) AS before
  WHERE e.id = before.id AND ${isWaiting('e.status')}
  RETURNING e.*, before.status AS previous_status
)
SELECT ${CANCELLED_ROW} FROM cancelled`;

/**
 * Ends a waiting execution. This transaction must have locked it and seen that it waits.
 *
 * @param message the text for its history
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
  return cancelledEvent(row, now);
}
