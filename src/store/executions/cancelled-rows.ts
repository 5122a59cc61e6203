import type { ExecutionStatus, ExecutionTrigger } from '../../domain/execution/execution.ts';
import type { NewEvent } from '../events/append-events.ts';
import { statusAfter } from './transitions.ts';

/** The columns that a statement returns for a waiting execution that it cancelled. */
export interface CancelledRow {
  id: string;
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
  errorMessage: string | null;
  instanceId: string | null;
}

/** The columns of a {@link CancelledRow}. */
export const CANCELLED_ROW = `id, job_id AS "jobId", previous_status AS "previousStatus", trigger,
  attempt_count AS "attemptCount", created_at AS "createdAt", scheduled_at AS "scheduledAt", started_at AS "startedAt",
  duration_ms AS "durationMs", lateness_ms AS "latenessMs", response_status AS "responseStatus",
  error_message AS "errorMessage", claimed_by AS "instanceId"`;

/** Cancels the executions `e`, which wait, at $2 for the reason $3. */
export const SET_CANCELLED = `status = ${statusAfter('cancel')}, finished_at = $2,
      cancel_requested_at = coalesce(e.cancel_requested_at, $2), cancel_reason = coalesce(e.cancel_reason, $3),
      -- greatest() ignores a null: without the CASE, an execution that never started would have a duration of 0 ms.
      duration_ms = CASE WHEN e.started_at IS NOT NULL THEN
        least(greatest(extract(epoch FROM ($2::timestamptz - e.started_at)) * 1000, 0), 2147483647)::int END`;

/** The event that tells of the cancellation. */
export function cancelledEvent({ id, attemptCount, ...facts }: CancelledRow, now: Date): NewEvent {
  return {
    ...facts,
    at: now,
    kind: 'EXECUTION_CANCELLED',
    executionId: id,
    status: 'CANCELLED',
    attempt: attemptCount === 0 ? null : attemptCount,
    finishedAt: now,
  };
}
