import { JOB_SQL, type JobRow } from './job-row.ts';
import { type StoredJob, withTags } from './jobs.ts';
import type { Queryable } from '../statements/sql.ts';

/**
 * Paused jobs whose `pausedUntil` has come, longest over first, locked against changes by others until the transaction
 * ends. Those that somebody holds are passed over.
 */
export async function lockEndedPauses(tx: Queryable, now: Date, limit: number): Promise<StoredJob[]> {
  const { rows } = await tx.query<JobRow>({
    name: 'lock-ended-pauses',
    text: `
-- lock up to $2 jobs whose pause ended by $1. SKIP LOCKED: another instance's batch is its own, and whoever changes one
-- of them keeps no other waiting; what was changed just before is looked at as it is now.
SELECT ${JOB_SQL.selection} FROM jobs WHERE paused_until <= $1
ORDER BY paused_until LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED`,
    values: [now, limit],
  });
  return withTags(tx, rows);
}

/** When the next pause ends by itself; null where none does. */
export async function nextPauseEndAt(db: Queryable): Promise<Date | null> {
  const { rows } = await db.query<{ endsAt: Date | null }>({
    name: 'next-pause-end',
    text: `SELECT min(paused_until) AS "endsAt" FROM jobs WHERE paused_until IS NOT NULL`,
  });
  return rows[0]?.endsAt ?? null;
}
