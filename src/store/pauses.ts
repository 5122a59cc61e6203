import type { Queryable } from './sql.ts';

/** Ids of paused jobs whose `pausedUntil` has come, longest over first. */
export async function findEndedPauses(db: Queryable, now: Date, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: 'ended-pauses',
    text: `SELECT id FROM jobs WHERE paused_until <= $1 ORDER BY paused_until LIMIT $2`,
    values: [now, limit],
  });
  return rows.map((row) => row.id);
}

/** When the next pause ends by itself; null where none does. */
export async function nextPauseEndAt(db: Queryable): Promise<Date | null> {
  const { rows } = await db.query<{ endsAt: Date | null }>({
    name: 'next-pause-end',
    text: `SELECT min(paused_until) AS "endsAt" FROM jobs WHERE paused_until IS NOT NULL`,
  });
  return rows[0]?.endsAt ?? null;
}
