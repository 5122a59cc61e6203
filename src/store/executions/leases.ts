import type { QueryResultRow } from 'pg';
import type { JobType } from '../../generated/prisma/enums.ts';
import type { Queryable } from '../statements/sql.ts';

/** A claim as its holder knows it. */
export interface HeldClaim {
  executionId: string;
  claimSeq: number;
}

const EXTEND_LEASES = `
-- extend the leases of this instance to $4 ms from now when less than $5 ms are left. Return the claims that it still
-- holds, for how long, and which were cancelled. Now is $3, or later if the database's clock is later.
-- SKIP LOCKED: one locked row must not let all other leases end. The transaction that locks it settles, rescues or
-- cancels it, and the next look sees the result. So this statement waits for nobody and cannot be part of a deadlock.
-- If an attempt ended under the claim and no rescuer ended it, its callback did. An attempt that waits for its
-- callback is no longer held, and its lease has another meaning.
-- OFFSET, LATERAL, the status as text and a subquery instead of EXISTS force the planner to look each claim up by its
-- id. Otherwise it may read all of some ten thousand executions, or all running ones for each claim.
WITH moment AS MATERIALIZED (
  SELECT greatest($3::timestamptz, clock_timestamp()) AS now
), claim AS MATERIALIZED (
  SELECT c.id, c.claim_seq, e.* FROM moment, unnest($1::uuid[], $2::int[]) AS c(id, claim_seq), LATERAL (
    SELECT attempt_count, status = 'RUNNING' AS is_held,
      status = 'RUNNING' AND cancel_requested_at IS NOT NULL AS is_cancelled,
      status = 'RUNNING' AND callback_deadline_at IS NULL AND lease_expires_at < moment.now + $5 * interval '1 ms' AS is_short,
      lease_expires_at
    FROM job_executions WHERE id = c.id AND claim_seq = c.claim_seq OFFSET 0
  ) AS e
), free AS MATERIALIZED (
  SELECT e.id FROM moment, claim, LATERAL (
    SELECT id FROM job_executions
    WHERE id = claim.id AND claim_seq = claim.claim_seq AND status::text = 'RUNNING' AND callback_deadline_at IS NULL
      AND lease_expires_at < moment.now + $5 * interval '1 ms'
    FOR NO KEY UPDATE SKIP LOCKED
  ) AS e
  WHERE is_short
), extended AS (
  UPDATE job_executions AS e SET lease_expires_at = moment.now + $4 * interval '1 ms'
  FROM moment WHERE e.id = ANY (ARRAY(SELECT id FROM free))
  RETURNING e.id, e.cancel_requested_at IS NOT NULL AS is_cancelled, e.lease_expires_at
)
SELECT claim.id, coalesce(extended.is_cancelled, claim.is_cancelled) AS "cancelRequested",
  (extract(epoch FROM coalesce(extended.lease_expires_at, claim.lease_expires_at) - moment.now) * 1000)::float8 AS "leftMs"
FROM moment, claim LEFT JOIN extended ON extended.id = claim.id
WHERE is_held OR (SELECT a.failure_reason = 'INSTANCE_LOST' FROM all_execution_attempts AS a
  WHERE a.execution_id = claim.id AND a.number = claim.attempt_count) IS NOT TRUE`;

export interface LeaseState {
  cancelRequested: boolean;
  /** How long the lease continues after the statement; null when the execution is no longer RUNNING. */
  leftMs: number | null;
}

/** How far leases are extended. */
export interface Extension {
  now: Date;
  leaseMs: number;
  /** A lease with at least this time left is not extended. */
  leastMs: number;
}

/**
 * Extends leases in one statement. It skips locked rows and leases that are long enough, because each extension
 * writes a new version of the row and an entry in every index.
 *
 * @returns by execution id, the state of each claim that is still held or whose callback ended the attempt; a missing
 *   claim is lost
 */
export async function extendLeases(
  db: Queryable,
  held: readonly HeldClaim[],
  { now, leaseMs, leastMs }: Extension,
): Promise<Map<string, LeaseState>> {
  const { rows } = await db.query<LeaseState & { id: string }>({
    name: 'extend-leases',
    text: EXTEND_LEASES,
    values: [
      held.map((claim) => claim.executionId),
      held.map((claim) => claim.claimSeq),
      now,
      leaseMs,
      leastMs,
    ],
  });
  return new Map(rows.map(({ id, ...state }) => [id, state]));
}

/** An execution whose lease ended while it was RUNNING: its holder died, froze, or lost the database. */
export interface LostExecution {
  id: string;
  jobId: string;
  jobType: JobType;
  claimSeq: number;
  rescueCount: number;
  attemptStartedAt: Date;
  attemptCount: number;
  cancelRequested: boolean;
  /** The instance that held it. */
  claimedBy: string;
}

const FIND_LOST = `
-- find executions whose lease ended before $1, at most $2, without $3 and without those that wait for a callback: no
-- instance held them. The lock skips rows that others hold, and ends with this statement. A later write checks the
-- same claim and that the lease is still over.
SELECT e.id, e.job_id AS "jobId", j.type AS "jobType", e.claim_seq AS "claimSeq", e.rescue_count AS "rescueCount",
  e.attempt_started_at AS "attemptStartedAt", e.attempt_count AS "attemptCount",
  e.cancel_requested_at IS NOT NULL AS "cancelRequested", e.claimed_by AS "claimedBy"
FROM job_executions AS e JOIN jobs AS j ON j.id = e.job_id
WHERE e.status = 'RUNNING' AND e.callback_deadline_at IS NULL AND e.lease_expires_at < $1 AND e.id <> ALL($3::uuid[])
ORDER BY e.lease_expires_at
LIMIT $2
FOR NO KEY UPDATE OF e SKIP LOCKED`;

/**
 * Finds executions that have lost their holder, the longest lost first.
 *
 * @param except executions to exclude
 */
export async function findLostExecutions(
  db: Queryable,
  now: Date,
  { limit, except }: { limit: number; except: readonly string[] },
): Promise<LostExecution[]> {
  const { rows } = await db.query<LostExecution & QueryResultRow>({
    name: 'find-lost',
    text: FIND_LOST,
    values: [now, limit, except],
  });
  return rows;
}

/** The earliest end of a lease with a call. */
export const NEXT_LEASE_END = `SELECT min(lease_expires_at) AS "endsAt" FROM job_executions
WHERE status = 'RUNNING' AND callback_deadline_at IS NULL`;

/** When the earliest lease of any instance ends; null when no execution is held. */
export async function nextLeaseEndAt(db: Queryable): Promise<Date | null> {
  const { rows } = await db.query<{ endsAt: Date | null }>({ name: 'next-lease-end', text: NEXT_LEASE_END });
  return rows[0]?.endsAt ?? null;
}
