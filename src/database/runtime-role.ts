import pg from 'pg';
import { StartError } from '../async/start-error.ts';
import { unreachable } from './address.ts';
import { hangUp } from './hang-up.ts';

/** PostgreSQL's codes where another session, of another database, has just made the same role. */
const ROLE_EXISTS: readonly unknown[] = ['42710', '23505'];

export interface DatabaseRole {
  name: string;
  password: string;
}

/** Whom a connection string logs in. */
export function roleOf(connectionString: string): DatabaseRole {
  const { username, password } = new URL(connectionString);
  return { name: decodeURIComponent(username), password: decodeURIComponent(password) };
}

/**
 * Lets the role of the running scheduler read and write rows, and no more: it owns no table, makes none, and reaches no
 * file or program of the database's server. Makes the role where the server has none of that name; one that is there keeps
 * its password.
 *
 * Nothing is done where the owner's role is the runtime role as well.
 *
 * @param owner a session of the role that owns the tables
 * @throws StartError that says what to do, where the role is missing and the owner may make none
 */
export async function provideRuntimeRole(owner: pg.ClientBase, role: DatabaseRole): Promise<void> {
  const { rows } = await owner.query<{ isOwner: boolean; exists: boolean; mayMakeRoles: boolean }>(
    `SELECT current_user = $1 AS "isOwner",
       EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS exists,
       (SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user) AS "mayMakeRoles"`,
    [role.name],
  );
  const [found] = rows;
  if (!found || found.isOwner) return;
  if (!found.exists) {
    // Asked before it is tried: the server's log holds statements that fail, and this one holds a password.
    if (!found.mayMakeRoles) throw missing(role.name);
    await makeRole(owner, role);
  }
  await grantRows(owner, pg.escapeIdentifier(role.name));
}

function missing(name: string): StartError {
  return new StartError(
    `The role ${name} of DATABASE_URL is missing, and the role of DATABASE_MIGRATION_URL may not make it. ` +
      `Make it: CREATE ROLE ${pg.escapeIdentifier(name)} LOGIN PASSWORD '…'`,
  );
}

async function makeRole(owner: pg.ClientBase, { name, password }: DatabaseRole): Promise<void> {
  const login = `CREATE ROLE ${pg.escapeIdentifier(name)} LOGIN PASSWORD ${pg.escapeLiteral(password)}`;
  await owner.query(login).catch((error: unknown) => {
    if (!ROLE_EXISTS.includes((error as { code?: unknown }).code)) throw error;
  });
}

/** Anew with each start: a migration may have made tables. */
async function grantRows(owner: pg.ClientBase, role: string): Promise<void> {
  await owner.query(`
    GRANT USAGE ON SCHEMA public TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role};
    REVOKE INSERT, UPDATE, DELETE ON _prisma_migrations FROM ${role};
    GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO ${role}`);
}

/**
 * Looks whether a connection string leads to the tables that were migrated.
 *
 * @throws StartError that says what to do, where it cannot log in or finds another database
 */
export async function refuseOtherDatabase(
  connectionString: string,
  migrationConnectionString: string,
  connectTimeoutMs: number,
): Promise<void> {
  const [runtime, migrated] = await Promise.all(
    [connectionString, migrationConnectionString].map((address) => identify(address, connectTimeoutMs)),
  );
  if (runtime !== migrated) {
    throw new StartError(
      'DATABASE_URL and DATABASE_MIGRATION_URL lead to different databases. Correct one of them.',
    );
  }
}

/** What tells one database of one server from all others, and is the same through a pooler. */
async function identify(connectionString: string, connectTimeoutMs: number): Promise<string> {
  const client = new pg.Client({
    connectionString,
    application_name: 'job-scheduler start',
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: connectTimeoutMs,
  });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ identity: string }>(
      `SELECT concat_ws(' ', oid, pg_postmaster_start_time()) AS identity
       FROM pg_database WHERE datname = current_database()`,
    );
    return rows[0]?.identity ?? '';
  } catch (error) {
    throw unreachable(connectionString, error);
  } finally {
    await hangUp(client);
  }
}
