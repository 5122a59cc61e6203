import type { Pool } from 'pg';
import { until } from '../until.ts';

/** A connection string whose sessions bear a name of their own, so that a test can tell them from all others. */
export function namedSessions(connectionString: string, name: string): string {
  const url = new URL(connectionString);
  url.searchParams.set('application_name', name);
  return url.href;
}

/**
 * Resolves when no session bears the name: a statement of a process that was killed may go on for a moment, and what
 * it writes still counts as that process's.
 */
export async function sessionsGone(pool: Pool, name: string): Promise<void> {
  const sessions = 'SELECT FROM pg_stat_activity WHERE application_name = $1';
  await until(async () => (await pool.query(sessions, [name])).rowCount === 0, {
    what: `no session of ${name}`,
  });
}

/** Ends all other sessions of the pool's database. @returns how many */
export async function terminateSessions(pool: Pool): Promise<number> {
  const { rowCount } = await pool.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'test'`,
  );
  return rowCount ?? 0;
}

/** Ends the sessions of one name, with nothing written of what they were about to write. */
export async function terminateSessionsOf(pool: Pool, name: string): Promise<void> {
  await pool.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1', [
    name,
  ]);
}
