import { eventOf, mayMove, statusAfter } from './transitions.ts';
import type { ConcurrencyRule } from '../../domain/job/concurrency.ts';
import { appendEventsSql, logLockBehind, OF_EXECUTION } from '../events/append-events.ts';
import type { Queryable } from '../statements/sql.ts';

const LOCK_BLOCKED_JOBS = `
-- lock up to $1 jobs that have BLOCKED executions, those with ids behind $2: a transaction that admits executions of a job holds the job's row.
SELECT id, concurrency_policy AS "concurrencyPolicy", max_concurrency AS "maxConcurrency"
FROM jobs WHERE id IN (SELECT job_id FROM job_executions WHERE ${mayMove('unblock')})
  AND ($2::uuid IS NULL OR id > $2)
ORDER BY id
LIMIT $1
FOR NO KEY UPDATE SKIP LOCKED`;

/**
 * Locks jobs with blocked executions until the end of the transaction, in the order of their ids.
 *
 * @param after jobs with ids up to this one are excluded; null for none
 */
export async function lockBlockedJobs(
  tx: Queryable,
  { limit, after }: { limit: number; after: string | null },
): Promise<(ConcurrencyRule & { id: string })[]> {
  const { rows } = await tx.query<ConcurrencyRule & { id: string }>({
    name: 'lock-blocked-jobs',
    text: LOCK_BLOCKED_JOBS,
    values: [limit, after],
  });
  return rows;
}

const UNBLOCK = `
-- unblock: admit the oldest BLOCKED executions of each job, as many as it has room for, and tell the log.
WITH room AS (
  SELECT * FROM unnest($1::uuid[], $2::int[]) AS r(job_id, places)
), chosen AS MATERIALIZED (
  SELECT e.id FROM room AS r, LATERAL (
    SELECT id FROM job_executions WHERE job_id = r.job_id AND ${mayMove('unblock')}
    ORDER BY created_at, coalesce(scheduled_at, created_at), id LIMIT r.places
  ) AS e
), locked AS MATERIALIZED (
  -- In the order of ids, as in every statement that locks several executions. The update alone has no fixed order.
  SELECT id FROM job_executions WHERE id IN (SELECT id FROM chosen) AND ${mayMove('unblock')} ORDER BY id FOR NO KEY UPDATE
), unblocked AS (
  UPDATE job_executions AS e SET status = ${statusAfter('unblock')}, available_at = greatest(e.available_at, $3)
  FROM locked WHERE e.id = locked.id
  RETURNING e.*
), ${logLockBehind('unblocked')}
${appendEventsSql(
  { ...OF_EXECUTION, at: '$3', kind: eventOf('unblock'), previousStatus: `'BLOCKED'` },
  'unblocked',
)}
RETURNING execution_id`;

/** Admits blocked executions of jobs that the transaction has locked. Returns how many. */
export async function unblock(
  tx: Queryable,
  rooms: readonly { jobId: string; places: number }[],
  now: Date,
): Promise<number> {
  if (rooms.length === 0) return 0;
  const { rowCount } = await tx.query({
    name: 'unblock',
    text: UNBLOCK,
    values: [rooms.map((room) => room.jobId), rooms.map((room) => room.places), now],
  });
  return rowCount ?? 0;
}
