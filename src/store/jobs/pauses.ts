import { JOB_SQL, type JobRow } from './job-row.ts';
import { type StoredJob, withTags } from './jobs.ts';
import type { Queryable } from '../statements/sql.ts';

/**
 * Locks paused jobs whose `pausedUntil` has come until the transaction ends, the oldest end first. It skips locked
 * jobs.
 */
export async function lockEndedPauses(tx: Queryable, now: Date, limit: number): Promise<StoredJob[]> {
  const { rows } = await tx.query<JobRow>({
    name: 'lock-ended-pauses',
    text: `
-- lock up to $2 jobs whose pause ended by $1. SKIP LOCKED skips the batch of another instance and jobs that a command
-- changes. A job that changed just before is checked again.
SELECT ${JOB_SQL.selection} FROM jobs WHERE paused_until <= $1
ORDER BY paused_until LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED`,
    values: [now, limit],
  });
  return withTags(tx, rows);
}

/** When the next pause ends by itself; null when none does. */
export async function nextPauseEndAt(db: Queryable): Promise<Date | null> {
  const { rows } = await db.query<{ endsAt: Date | null }>({
    name: 'next-pause-end',
    text: `SELECT min(paused_until) AS "endsAt" FROM jobs WHERE paused_until IS NOT NULL`,
  });
  return rows[0]?.endsAt ?? null;
}
