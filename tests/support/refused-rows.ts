import type { Pool } from 'pg';
import { onTestFinished } from 'vitest';

/**
 * Has the database refuse every change of some executions until the test ends.
 *
 * @param sqlstate what it says; data that breaks a constraint where left out
 */
export async function refuseChanges(
  pool: Pool,
  executionIds: readonly string[],
  sqlstate?: string,
): Promise<void> {
  await refuse(pool, { on: 'UPDATE', column: 'OLD.id', values: executionIds }, sqlstate);
}

/** Has the database refuse every new execution of some jobs until the test ends; with `sqlstate` as above. */
export async function refuseExecutionsOf(
  pool: Pool,
  jobIds: readonly string[],
  sqlstate?: string,
): Promise<void> {
  await refuse(pool, { on: 'INSERT', column: 'NEW.job_id', values: jobIds }, sqlstate);
}

/** Has the database refuse every new row of a table until the test ends. */
export async function refuseRowsOf(pool: Pool, table: 'job_audit_log' | 'event_log'): Promise<void> {
  await createTrigger(pool, `BEFORE INSERT ON ${table} FOR EACH ROW`, '23514');
}

async function refuse(
  pool: Pool,
  { on, column, values }: { on: 'UPDATE' | 'INSERT'; column: string; values: readonly string[] },
  sqlstate = '23514',
): Promise<void> {
  const refused = values.map((value) => `'${value}'`).join(', ');
  const when = `BEFORE ${on} ON job_executions FOR EACH ROW WHEN (${column} IN (${refused}))`;
  await createTrigger(pool, when, sqlstate);
}

async function createTrigger(pool: Pool, when: string, sqlstate: string): Promise<void> {
  await pool.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'Refused by a test.' USING ERRCODE = '${sqlstate}'; END$$;
    CREATE TRIGGER refuse ${when} EXECUTE FUNCTION refuse()`);
  onTestFinished(() => acceptAll(pool));
}

/** Takes the refusal back. */
export async function acceptAll(pool: Pool): Promise<void> {
  await pool.query('DROP FUNCTION IF EXISTS refuse CASCADE');
}
