import pg from 'pg';
import type { DatabaseLog } from './log.ts';

/** A row whose migration came neither to its end nor to be given up. */
const UNFINISHED = 'finished_at IS NULL AND rolled_back_at IS NULL';

/** What stands in `logs` of a row from before its script is sent until that has ended, or has failed. */
const UNDER_WAY = 'The script is under way, and will record its end itself.';

/** What a script that ends its transaction itself leaves in `logs` until it is through: then not all of it can be undone. */
const HALF_APPLIED =
  'Interrupted after the script had ended its transaction itself: see what of it was applied, and undo that.';

/** Marks the row that the engine enters, and commits, before it runs a migration's script; answers its id. */
export async function markStarted(db: pg.ClientBase): Promise<string | undefined> {
  if (!(await hasRecord(db))) return undefined;
  const { rows } = await db.query<{ id: string }>(
    `UPDATE _prisma_migrations SET logs = '${UNDER_WAY}' WHERE ${UNFINISHED} RETURNING id`,
  );
  return rows[0]?.id;
}

/**
 * A migration's script that records its own end within its own transaction, the engine's record of the same coming too
 * late where the process dies in between. So an unfinished row with the mark says that nothing of the migration is applied,
 * once nobody holds the row. One without it is of somebody else, who records the end later.
 *
 * The first statement holds the row for as long as the script runs, and refuses to run it where others have given it
 * up meanwhile: a server that is slow may only get to the script when the process that sent it is long dead.
 */
export function recordingItsEnd(script: string, migrationId: string): string {
  const row = `id = ${pg.escapeLiteral(migrationId)} AND ${UNFINISHED}`;
  const marked = `${row} AND logs = '${UNDER_WAY}'`;
  return `DO $record$ BEGIN
      UPDATE _prisma_migrations SET logs = '${HALF_APPLIED}' WHERE ${marked};
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
  const interrupted = `${UNFINISHED} AND logs = '${UNDER_WAY}'`;
  const { rows: found } = await db.query<{ migration: string }>(
    `SELECT migration_name AS migration FROM _prisma_migrations WHERE ${interrupted}`,
  );
  for (const { migration } of found) {
    log('a migration was interrupted; waiting until the database is done with it', { migration });
    const { rowCount } = await db.query(
      inAnyTime(
        `UPDATE _prisma_migrations SET rolled_back_at = clock_timestamp() WHERE migration_name = $1 AND ${interrupted}`,
        [migration],
      ),
    );
    if (rowCount === 0) log('the interrupted migration came to its end', { migration });
    else log('nothing of the interrupted migration was applied; it is tried again', { migration });
  }
}

/** A statement whose answer is waited for as long as a timer can: a script may have large tables to rewrite. */
export function inAnyTime(text: string, values?: string[]): pg.QueryConfig {
  const statement = { text, query_timeout: 2 ** 31 - 1 };
  return values === undefined ? statement : { ...statement, values };
}

async function hasRecord(db: pg.ClientBase): Promise<boolean> {
  const { rows } = await db.query<{ exists: boolean }>(
    `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS exists`,
  );
  return rows[0]?.exists === true;
}
