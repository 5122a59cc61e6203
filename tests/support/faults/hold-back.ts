import type { Pool } from 'pg';
import { EVENT_LOG_LOCK } from '../../../src/store/events/append-events.ts';
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

/** The event log's lock in the hands of the test: nobody can write an event. */
export type HeldEventLog = {
  /** The names of the sessions that wait for the lock with a statement that matches. */
  waiting: (statement: string) => Promise<string[]>;
  /** Waits until there is one; answers its name. */
  waits: (statement: string) => Promise<string>;
  release: () => Promise<void>;
};

export async function holdEventLog(pool: Pool): Promise<HeldEventLog> {
  const holder = await pool.connect();
  await holder.query('SELECT pg_advisory_lock($1)', [EVENT_LOG_LOCK]);
  const waiting = async (statement: string): Promise<string[]> => {
    const { rows } = await pool.query<{ name: string }>(
      `SELECT application_name AS name FROM pg_stat_activity
       WHERE datname = current_database() AND wait_event = 'advisory' AND query LIKE $1`,
      [statement],
    );
    return rows.map(({ name }) => name);
  };
  return {
    waiting,
    waits: (statement) => until(async () => (await waiting(statement))[0]),
    async release() {
      await holder.query('SELECT pg_advisory_unlock($1)', [EVENT_LOG_LOCK]);
      holder.release();
    },
  };
}
