import { REPLACED_MESSAGE } from '../../domain/job/concurrency.ts';
import type { NewEvent } from '../events/append-events.ts';
import type { Queryable } from '../statements/sql.ts';
import { CANCELLED_ROW, type CancelledRow, cancelledEvent, SET_CANCELLED } from './cancelled-rows.ts';

/** Which waiting executions of jobs are taken back, and why, for a person. */
export interface Withdrawal {
  /**
   * - planned: what slots or dependencies have planned and nobody has started; what is claimed for the first time too, should
   *   its claim end without a call.
   * - named: of that, the executions of `executionIds`.
   * - waiting: everything that waits, whatever made it.
   * - replaceable: of that, what a new execution may take the place of.
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
 * What a new execution takes the place of, where its job's policy has it do so. Under FORBID catch-ups that have not begun;
 * else whatever made them, but for redrives: what somebody asked to be run again is not lost to the next slot.
 */
export const REPLACEABLE = `finished_at IS NULL
    AND CASE (SELECT j.concurrency_policy FROM jobs AS j WHERE j.id = job_executions.job_id)
      WHEN 'FORBID' THEN trigger = 'CATCH_UP' AND status = 'PENDING' AND started_at IS NULL ELSE trigger <> 'REDRIVE' END`;

/** Which executions are cancelled, out of those that are locked. */
const SCOPES: Record<Withdrawal['scope'], { locked: string; cancelled: string; marksClaims: boolean }> = {
  // Also what is claimed for the first time: its claim may be undone at this moment, or later.
  planned: {
    locked: `finished_at IS NULL AND attempt_count <= 1 AND status IN ('PENDING', 'BLOCKED', 'RUNNING') AND ${OF_THE_PLANNER}`,
    cancelled: `status <> 'RUNNING' AND started_at IS NULL`,
    marksClaims: true,
  },
  named: { locked: `${NEVER_STARTED} AND id = ANY($4::uuid[])`, cancelled: 'true', marksClaims: false },
  // Also those that run, whose cancellation is asked for next: locked only then, they would be locked out of the order of
  // ids.
  waiting: {
    locked: `finished_at IS NULL`,
    cancelled: `status <> 'RUNNING'`,
    marksClaims: false,
  },
  // Likewise.
  replaceable: { locked: REPLACEABLE, cancelled: `status <> 'RUNNING'`, marksClaims: false },
};

/** Tells whoever undoes a claim that the execution is not to wait again. */
const MARKED_CLAIMS = `marked AS (
  UPDATE job_executions AS e SET withdraw_reason = $3 FROM locked WHERE e.id = locked.id AND locked.status = 'RUNNING'
), `;

function withdrawStatement(scope: Withdrawal['scope']): string {
  const { locked, cancelled, marksClaims } = SCOPES[scope];
  return `
-- withdraw (${scope}): cancel executions of the jobs $1 that wait, at $2, for reason $3; $4 are their ids, where named.
-- The rows are locked before they are changed: one that is being claimed at this moment is waited for, and the second
-- look at its status then leaves it alone. All in one order, that of ids, whatever their job: two turns, job by job, would
-- meet others who lock several (a batch that is being settled) in a circle.
WITH locked AS MATERIALIZED (
  SELECT id, status, started_at FROM job_executions
  WHERE job_id = ANY($1::uuid[]) AND ${locked} ORDER BY id FOR NO KEY UPDATE
), waiting AS (
  SELECT * FROM locked WHERE ${cancelled}
), ${marksClaims ? MARKED_CLAIMS : ''}withdrawn AS (
  UPDATE job_executions AS e
  -- What waits has no lease. It is cleared still: the constraints first see the row as this statement's snapshot has it,
  -- and there it may still run.
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
 * Cancels executions that wait, because their jobs no longer are what they were when they were planned. The transaction
 * must hold the jobs' rows.
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

/** An execution that a slot has planned, and that is not to start yet. */
export interface WaitingSlot {
  id: string;
  jobId: string;
  scheduledAt: Date;
}

/** What jobs' slots have planned for later than `now`: a slot is planned when it comes, and starts after its jitter. */
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

/** Those of the jobs that have anything planned that nobody has started. */
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
 * Asks the instances that run executions of the jobs to abort them; they look at each extension of their leases, and when
 * they are woken. Those whose callback is awaited are held by nobody: their lease ends, and whoever looks first ends
 * them. The first reason stays.
 *
 * @returns the jobs of which something runs; where there are any, lease keepers are to be woken after the commit
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
 * Cancels all that new executions of the jobs take the place of: at once what waits, and asks what runs to stop. The
 * transaction must hold the jobs' rows.
 *
 * @returns the events to append; and the jobs of which something runs, whose new executions have to wait for its end
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
