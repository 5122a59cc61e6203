import type { Queryable } from '../statements/sql.ts';

const IS_WAITED_FOR = `
-- is waited for: whether any session waits for a lock that this one holds.
SELECT EXISTS (
  SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
) AS "isWaitedFor"`;

/** Whether anybody waits for what a transaction holds. */
export async function isWaitedFor(tx: Queryable): Promise<boolean> {
  const { rows } = await tx.query<{ isWaitedFor: boolean }>({ name: 'is-waited-for', text: IS_WAITED_FOR });
  return rows[0]?.isWaitedFor ?? false;
}
