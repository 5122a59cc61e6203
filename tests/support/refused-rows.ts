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

/** Has the database refuse every new execution of some jobs until the test ends. */
export async function refuseExecutionsOf(pool: Pool, jobIds: readonly string[]): Promise<void> {
  await refuse(pool, { on: 'INSERT', column: 'NEW.job_id', values: jobIds });
}

async function refuse(
  pool: Pool,
  { on, column, values }: { on: 'UPDATE' | 'INSERT'; column: string; values: readonly string[] },
  sqlstate = '23514',
): Promise<void> {
  await pool.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'Refused by a test.' USING ERRCODE = '${sqlstate}'; END$$;
    CREATE TRIGGER refuse BEFORE ${on} ON job_executions FOR EACH ROW
      WHEN (${column} IN (${values.map((value) => `'${value}'`).join(', ')})) EXECUTE FUNCTION refuse()`);
  onTestFinished(() => acceptAll(pool));
}

/** Takes the refusal back. */
export async function acceptAll(pool: Pool): Promise<void> {
  await pool.query('DROP FUNCTION IF EXISTS refuse CASCADE');
}
