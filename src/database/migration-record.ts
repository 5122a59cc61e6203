import pg from 'pg';
import type { DatabaseLog } from './log.ts';

/** A row whose migration came neither to its end nor to be given up. Where it has `logs`, the script failed. */
const UNFINISHED = 'finished_at IS NULL AND rolled_back_at IS NULL';

/** What a script that ends its transaction itself leaves in `logs` until it is through: then not all of it can be undone. */
const HALF_APPLIED =
  'Interrupted after the script had ended its transaction itself: see what of it was applied, and undo that.';

/** The id of the row that the engine enters, and commits, before it runs a migration's script. */
export async function startedMigration(db: pg.ClientBase): Promise<string | undefined> {
  if (!(await hasRecord(db))) return undefined;
  const { rows } = await db.query<{ id: string }>(`SELECT id FROM _prisma_migrations WHERE ${UNFINISHED}`);
  return rows[0]?.id;
}

/**
 * A migration's script that records its own end within its own transaction, the engine's record of the same coming too
 * late where the process dies in between. So an unfinished row without logs says that nothing of the migration is
 * applied, once nobody holds the row.
 *
 * The first statement holds the row for as long as the script runs, and refuses to run it where others have given it
 * up meanwhile: a server that is slow may only get to the script when the process that sent it is long dead.
 */
export function recordingItsEnd(script: string, migrationId: string): string {
  const row = `id = ${pg.escapeLiteral(migrationId)} AND ${UNFINISHED}`;
  return `DO $record$ BEGIN
      UPDATE _prisma_migrations SET logs = '${HALF_APPLIED}' WHERE ${row};
      IF NOT FOUND THEN RAISE EXCEPTION 'The migration was given up meanwhile'; END IF;
    END $record$;
    ${script}
    ;UPDATE _prisma_migrations SET logs = NULL, finished_at = clock_timestamp() WHERE ${row}`;
}

/**
 * Gives up what was interrupted before anything of it was applied, so that it is tried again. A server that still runs
 * the script of a process that is gone is waited for: it may yet commit it.
 */
export async function settleInterrupted(db: pg.ClientBase, log: DatabaseLog): Promise<void> {
  if (!(await hasRecord(db))) return;
  const interrupted = `${UNFINISHED} AND logs IS NULL`;
  const { rows: found } = await db.query<{ migration: string }>(
    `SELECT migration_name AS migration FROM _prisma_migrations WHERE ${interrupted}`,
  );
  for (const { migration } of found) {
    log('a migration was interrupted; waiting until the database is done with it', { migration });
    const { rowCount } = await db.query(
      `UPDATE _prisma_migrations SET rolled_back_at = clock_timestamp() WHERE migration_name = $1 AND ${interrupted}`,
      [migration],
    );
    if (rowCount === 0) log('the interrupted migration came to its end', { migration });
    else log('nothing of the interrupted migration was applied; it is tried again', { migration });
  }
}

async function hasRecord(db: pg.ClientBase): Promise<boolean> {
  const { rows } = await db.query<{ exists: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS exists`,
  );
  return rows[0]?.exists === true;
}
