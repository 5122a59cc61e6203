import type { Pool } from 'pg';
import { until } from '../until.ts';

/** Outcomes that a server wants to record, and cannot. */
export type HeldBackRecords = {
  /** Resolves when a server has begun to record. */
  attempted: () => Promise<void>;
  /** Ends the sessions that wait, with nothing written, and lets go. */
  drop: () => Promise<void>;
};

const WAITING = `
  FROM pg_stat_activity
  WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%-- settle:%'`;

/** Locks all running executions, so that the outcome of none of them can be recorded. */
export async function holdBackRecords(pool: Pool): Promise<HeldBackRecords> {
  const holder = await pool.connect();
  await holder.query('BEGIN');
  await holder.query(`SELECT FROM job_executions WHERE status = 'RUNNING' ORDER BY id FOR UPDATE`);
  return {
    async attempted() {
      await until(async () => (await pool.query(`SELECT ${WAITING}`)).rowCount);
    },
    async drop() {
      await pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      await holder.query('ROLLBACK');
      holder.release();
    },
  };
}
