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
  sqlstate = '23514',
): Promise<void> {
  await pool.query(`
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN RAISE EXCEPTION 'Refused by a test.' USING ERRCODE = '${sqlstate}'; END$$;
    CREATE TRIGGER refuse BEFORE UPDATE ON job_executions FOR EACH ROW
      WHEN (OLD.id IN (${executionIds.map((id) => `'${id}'`).join(', ')})) EXECUTE FUNCTION refuse()`);
  onTestFinished(() => acceptChanges(pool));
}

/** Takes the refusal back. */
export async function acceptChanges(pool: Pool): Promise<void> {
  await pool.query('DROP FUNCTION IF EXISTS refuse CASCADE');
}
