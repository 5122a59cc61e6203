import type pg from 'pg';
import { StartError } from '../async/start-error.ts';
import { databaseAddress } from './address.ts';

/** Refuses a database that takes no writes: a start on it would fail at its first write. */
export async function refuseReadOnly(
  db: Pick<pg.Pool, 'query'> | pg.ClientBase,
  connectionString: string,
): Promise<void> {
  const { rows } = await db.query<{ readOnly: string; standby: boolean; database: string }>(
    `SELECT current_setting('transaction_read_only') AS "readOnly", pg_is_in_recovery() AS standby,
       quote_ident(current_database()) AS database`,
  );
  const [{ readOnly, standby, database } = { readOnly: 'off', standby: false, database: '' }] = rows;
  if (readOnly !== 'on') return;
  const reason = standby
    ? 'it is a standby. Have DATABASE_URL (and DATABASE_DIRECT_URL, where that is set) lead to the primary server'
    : `default_transaction_read_only is on. Find out why, then run: ALTER DATABASE ${database} RESET default_transaction_read_only. ` +
      'Or have DATABASE_URL (and DATABASE_DIRECT_URL, where that is set) lead to another database';
  throw new StartError(`The database at ${databaseAddress(connectionString)} is read-only: ${reason}.`);
}
