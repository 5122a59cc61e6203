import { REPLACED_MESSAGE } from '../../domain/job/concurrency.ts';
import type { NewEvent } from '../events/append-events.ts';
import type { Queryable } from '../statements/sql.ts';
import { CANCELLED_ROW, type CancelledRow, cancelledEvent, SET_CANCELLED } from './cancelled-rows.ts';

/** Which waiting executions of jobs are withdrawn, and the reason in words. */
export interface Withdrawal {
  /**
   * - planned: executions of slots or dependencies that have not started. An execution with its first claim is
   *   included if the claim ends without a call.
   * - named: of these, the executions of `executionIds`.
   * - waiting: all waiting executions, with any trigger.
   * - replaceable: of these, the executions that a new one may replace.
   */
  scope: 'planned' | 'named' | 'waiting' | 'replaceable';
  reason: string;
  /** Only with scope `named`. */
  executionIds?: readonly string[];
}

const OF_THE_PLANNER = `trigger IN ('SCHEDULE', 'CATCH_UP', 'DEPENDENCY')`;
const NEVER_STARTED = `finished_at IS NULL AND started_at IS NULL AND status IN ('PENDING', 'BLOCKED')
    AND ${OF_THE_PLANNER}`;

/**
 * The executions that a new one replaces, if its job's policy says so. Under FORBID these are catch-ups that have not
 * begun. Otherwise these are all except redrives: the next slot must not replace a run that a user asked to repeat.
 */
export const REPLACEABLE = `finished_at IS NULL
    AND CASE (SELECT j.concurrency_policy FROM jobs AS j WHERE j.id = job_executions.job_id)
      WHEN 'FORBID' THEN trigger = 'CATCH_UP' AND status = 'PENDING' AND started_at IS NULL ELSE trigger <> 'REDRIVE' END`;

/** The executions that each scope locks, and those of them that it cancels. */
const SCOPES: Record<Withdrawal['scope'], { locked: string; cancelled: string; marksClaims: boolean }> = {
  // This includes executions with their first claim, because the claim may be undone now or later.
  planned: {
    locked: `finished_at IS NULL AND attempt_count <= 1 AND status IN ('PENDING', 'BLOCKED', 'RUNNING') AND ${OF_THE_PLANNER}`,
    cancelled: `status <> 'RUNNING' AND started_at IS NULL`,
    marksClaims: true,
  },
  named: { locked: `${NEVER_STARTED} AND id = ANY($4::uuid[])`, cancelled: 'true', marksClaims: false },
  // This also locks running executions, whose cancellation is requested next. A later lock would break the order of
  // ids.
  waiting: {
    locked: `finished_at IS NULL`,
    cancelled: `status <> 'RUNNING'`,
    marksClaims: false,
  },
  // Likewise.
  replaceable: { locked: REPLACEABLE, cancelled: `status <> 'RUNNING'`, marksClaims: false },
};

/** Marks claimed executions, so they do not wait again when their claim is undone. */
const MARKED_CLAIMS = `marked AS (
  UPDATE job_executions AS e SET withdraw_reason = $3 FROM locked WHERE e.id = locked.id AND locked.status = 'RUNNING'
), `;

function withdrawStatement(scope: Withdrawal['scope']): string {
  const { locked, cancelled, marksClaims } = SCOPES[scope];
  return `
-- withdraw (${scope}): cancel executions of the jobs $1 that wait, at $2, for reason $3; $4 are their ids, where named.
-- The rows are locked before the change: the lock waits for a claim in progress, and the second check of the status
-- then skips that row. All rows are locked in the order of ids. Locking job by job could deadlock with others that
-- lock several, such as a batch that is settled.
WITH locked AS MATERIALIZED (
  SELECT id, status, started_at FROM job_executions
  WHERE job_id = ANY($1::uuid[]) AND ${locked} ORDER BY id FOR NO KEY UPDATE
), waiting AS (
  SELECT * FROM locked WHERE ${cancelled}
), ${marksClaims ? MARKED_CLAIMS : ''}withdrawn AS (
  UPDATE job_executions AS e
  -- A waiting execution has no lease. The update still clears it: the constraints first see the row of this
  -- statement's snapshot, where it may still run.
  SET ${SET_CANCELLED}, lease_expires_at = NULL,
      error_message = concat_ws(' ', CASE WHEN e.started_at IS NULL THEN 'Cancelled before it was started.'
        ELSE 'Cancelled while it waited for its next attempt.' END, 'Reason: ' || $3)
  FROM waiting WHERE e.id = waiting.id
  RETURNING e.*, waiting.status AS previous_status
)
SELECT ${CANCELLED_ROW}
FROM withdrawn ORDER BY id`;
}

/**
 * Cancels waiting executions, because their jobs have changed since the plan. The transaction must have locked the
 * jobs' rows.
 *
 * @returns the events to append, in the order of the executions' ids
 */
export async function withdrawExecutions(
  tx: Queryable,
  jobIds: readonly string[],
  { scope, reason, executionIds }: Withdrawal,
  now: Date,
): Promise<NewEvent[]> {
  if (jobIds.length === 0) return [];
  const { rows } = await tx.query<CancelledRow & Record<string, unknown>>({
    name: `withdraw-${scope}`,
    text: withdrawStatement(scope),
    values: [jobIds, now, reason, ...(executionIds ? [executionIds] : [])],
  });
  return rows.map((row) => cancelledEvent(row, now));
}

/** A planned execution of a slot that may not start yet. */
export interface WaitingSlot {
  id: string;
  jobId: string;
  scheduledAt: Date;
}

/**
 * The planned executions of slots that start after `now`. A slot is planned when it comes, and starts after its
 * jitter.
 */
export async function readWaitingSlots(
  tx: Queryable,
  jobIds: readonly string[],
  now: Date,
): Promise<WaitingSlot[]> {
  if (jobIds.length === 0) return [];
  const { rows } = await tx.query<WaitingSlot & Record<string, unknown>>({
    name: 'waiting-slots',
    text: `
-- waiting slots: what slots of the jobs $1 have planned and what may not start before $2.
SELECT id, job_id AS "jobId", scheduled_at AS "scheduledAt" FROM job_executions
WHERE job_id = ANY($1::uuid[]) AND ${NEVER_STARTED} AND scheduled_at IS NOT NULL AND available_at > $2
ORDER BY id`,
    values: [jobIds, now],
  });
  return rows;
}

/** The jobs that have a planned execution without a start. */
export async function jobsWithPlanned(tx: Queryable, jobIds: readonly string[]): Promise<Set<string>> {
  if (jobIds.length === 0) return new Set();
  const { rows } = await tx.query<{ jobId: string }>({
    name: 'jobs-with-planned',
    text: `
-- jobs with planned: those of the jobs $1 of which something is planned and not started.
SELECT DISTINCT job_id AS "jobId" FROM job_executions WHERE job_id = ANY($1::uuid[]) AND ${NEVER_STARTED}`,
    values: [jobIds],
  });
  return new Set(rows.map(({ jobId }) => jobId));
}

const STOPPED = { all: 'finished_at IS NULL', replaceable: REPLACEABLE };

/**
 * Asks the instances that run executions of the jobs to abort them. Instances look at each extension of their leases
 * and when they are woken. No instance holds an execution that waits for its callback: this ends its lease, and the
 * first callback watch that looks ends the wait. The first reason stays.
 *
 * @returns the jobs with a running execution; if there are any, the caller wakes the lease keepers after the commit
 */
export async function requestCancellation(
  tx: Queryable,
  jobIds: readonly string[],
  { now, reason, scope }: { now: Date; reason: string; scope: keyof typeof STOPPED },
): Promise<Set<string>> {
  if (jobIds.length === 0) return new Set();
  const { rows } = await tx.query<{ jobId: string }>({
    name: `request-cancellation-${scope}`,
    text: `
WITH running AS MATERIALIZED (
  SELECT id FROM job_executions WHERE job_id = ANY($1::uuid[]) AND ${STOPPED[scope]} AND status = 'RUNNING'
  ORDER BY id FOR NO KEY UPDATE
)
UPDATE job_executions AS e SET cancel_requested_at = coalesce(e.cancel_requested_at, $2),
  cancel_reason = CASE WHEN e.cancel_requested_at IS NULL THEN $3 ELSE e.cancel_reason END,
  lease_expires_at = CASE WHEN e.callback_deadline_at IS NULL THEN e.lease_expires_at ELSE $2 END
FROM running WHERE e.id = running.id
RETURNING e.job_id AS "jobId"`,
    values: [jobIds, now, reason],
  });
  return new Set(rows.map(({ jobId }) => jobId));
}

/**
 * Cancels all executions that new ones of the jobs replace. Waiting ones end at once, and running ones are asked to
 * stop. The transaction must have locked the jobs' rows.
 *
 * @returns the events to append, and the jobs with a running execution, whose new executions must wait
 */
export async function replaceUnfinished(
  tx: Queryable,
  jobIds: readonly string[],
  now: Date,
): Promise<{ events: NewEvent[]; stopping: ReadonlySet<string> }> {
  const terms = { scope: 'replaceable', reason: REPLACED_MESSAGE } as const;
  const events = await withdrawExecutions(tx, jobIds, terms, now);
  const stopping = await requestCancellation(tx, jobIds, { ...terms, now });
  return { events, stopping };
}
