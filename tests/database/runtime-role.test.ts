import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { expect, inject, it, onTestFinished } from 'vitest';
import { migrate } from '../../src/database/migrate.ts';
import { provideDatabase } from '../../src/database/provide-database.ts';
import { roleOf } from '../../src/database/runtime-role.ts';
import { createTestDatabase } from '../support/database.ts';
import { dataFolder, query, start } from './embedded.ts';
import { emptyDatabase } from './migrations.ts';

const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * A name that no other test uses, because roles belong to the server. The roles are dropped at the end of the test,
 * after its databases.
 */
function newRole(): string {
  const name = `role_${randomBytes(6).toString('hex')}`;
  onTestFinished(() =>
    query(inject('adminConnectionString'), `DROP ROLE IF EXISTS ${name}`).then(() => undefined),
  );
  return name;
}

function loggedInAs(name: string, password: string, connectionString: string): string {
  const url = new URL(connectionString);
  url.username = name;
  url.password = password;
  return url.href;
}

/** The error code with which a statement of a role fails. */
async function refusal(connectionString: string, statement: string): Promise<unknown> {
  const error: unknown = await query(connectionString, statement).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return (error as { code?: unknown } | undefined)?.code;
}

/** Statements with which an attacker would do more than read and write rows. */
const FORBIDDEN = [
  'CREATE TABLE more (id int)',
  'DROP TABLE jobs',
  'ALTER TABLE jobs DISABLE TRIGGER ALL',
  'TRUNCATE jobs CASCADE',
  'DELETE FROM _prisma_migrations',
  'CREATE ROLE another',
  "COPY jobs TO '/tmp/jobs'",
  "COPY jobs FROM PROGRAM 'id'",
  "SELECT pg_read_file('postgresql.conf')",
  'SELECT * FROM pg_authid',
  'CREATE FUNCTION more() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$',
  "ALTER SYSTEM SET log_statement = 'all'",
];

it('creates a role that reads and writes rows, and does nothing else', async () => {
  const name = newRole();
  const connectionString = await emptyDatabase();
  const runtime = loggedInAs(name, 'a:secret', connectionString);
  await migrate({ connectionString, runtimeRole: roleOf(runtime) });

  await query(
    runtime,
    "INSERT INTO job_tags (id, name, created_at) VALUES (gen_random_uuid(), 'nightly', now())",
  );
  expect(await query(runtime, 'UPDATE job_tags SET name = name RETURNING name')).toEqual([
    { name: 'nightly' },
  ]);
  expect(await query(runtime, "DELETE FROM job_tags WHERE name = 'nightly' RETURNING name")).toHaveLength(1);
  for (const statement of FORBIDDEN)
    expect({ statement, code: await refusal(runtime, statement) }).toEqual({
      statement,
      code: INSUFFICIENT_PRIVILEGE,
    });
});

it('runs the embedded database under such a role', async () => {
  const { connectionString, runtimeConnectionString } = await start(await dataFolder());
  await migrate({ connectionString, runtimeRole: roleOf(runtimeConnectionString) });
  expect(await query(runtimeConnectionString, 'SELECT count(*)::int AS jobs FROM jobs')).toEqual([
    { jobs: 0 },
  ]);
  expect(await refusal(runtimeConnectionString, 'CREATE TABLE more (id int)')).toBe(INSUFFICIENT_PRIVILEGE);
  expect(
    await query(runtimeConnectionString, 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user'),
  ).toEqual([{ rolsuper: false }]);
});

it('gives the role access to tables of later migrations', async () => {
  const name = newRole();
  const { connectionString, drop } = await createTestDatabase();
  onTestFinished(drop);
  const runtime = loggedInAs(name, 'secret', connectionString);
  await migrate({ connectionString, runtimeRole: roleOf(runtime) });
  await query(connectionString, 'CREATE TABLE later (id serial PRIMARY KEY)');
  await migrate({ connectionString, runtimeRole: roleOf(runtime) });
  expect(await query(runtime, 'INSERT INTO later DEFAULT VALUES RETURNING id')).toEqual([{ id: 1 }]);
});

it('keeps the password of an existing role', async () => {
  const name = newRole();
  const connectionString = await emptyDatabase();
  await query(connectionString, `CREATE ROLE ${name} LOGIN PASSWORD 'its own'`);
  const before = await query(connectionString, `SELECT rolpassword FROM pg_authid WHERE rolname = '${name}'`);
  await migrate({ connectionString, runtimeRole: { name, password: 'another' } });
  expect(
    await query(connectionString, `SELECT rolpassword FROM pg_authid WHERE rolname = '${name}'`),
  ).toEqual(before);
});

it('creates the role once when several databases of one server need it at the same time', async () => {
  const name = newRole();
  const databases = await Promise.all(Array.from({ length: 4 }, emptyDatabase));
  await Promise.all(
    databases.map((connectionString) =>
      migrate({ connectionString, runtimeRole: { name, password: 'secret' } }),
    ),
  );
  for (const connectionString of databases)
    expect(await query(loggedInAs(name, 'secret', connectionString), 'SELECT FROM jobs')).toEqual([]);
});

it('reports how to create the role when the owner may create none', async () => {
  const [owner, name] = [newRole(), newRole()];
  const connectionString = await emptyDatabase();
  await query(connectionString, `CREATE ROLE ${owner} LOGIN PASSWORD 'secret'`);
  await query(
    connectionString,
    `ALTER DATABASE ${new URL(connectionString).pathname.slice(1)} OWNER TO ${owner}`,
  );
  const asOwner = loggedInAs(owner, 'secret', connectionString);
  await expect(
    migrate({ connectionString: asOwner, runtimeRole: { name, password: 'secret' } }),
  ).rejects.toThrow(
    `The role ${name} of DATABASE_URL is missing, and the role of DATABASE_MIGRATION_URL may not make it. ` +
      `Make it: CREATE ROLE ${pg.escapeIdentifier(name)} LOGIN PASSWORD '…'`,
  );

  await query(connectionString, `CREATE ROLE ${name} LOGIN PASSWORD 'secret'`);
  await migrate({ connectionString: asOwner, runtimeRole: { name, password: 'secret' } });
  const runtime = loggedInAs(name, 'secret', connectionString);
  expect(await query(runtime, 'SELECT count(*)::int AS jobs FROM jobs')).toEqual([{ jobs: 0 }]);
});

it('refuses to start where the two addresses lead to different databases', async () => {
  const [databaseUrl, databaseMigrationUrl] = [await emptyDatabase(), await emptyDatabase()];
  await expect(
    provideDatabase({
      databaseUrl,
      databaseMigrationUrl,
      databaseDirectUrl: undefined,
      dataDir: '',
      embeddedPostgresPort: undefined,
      databaseConnectTimeoutMs: 10_000,
      databaseQueryTimeoutMs: 15_000,
      connections: 1,
      log: () => undefined,
      onStarted: () => undefined,
    }),
  ).rejects.toThrow(
    'DATABASE_URL and DATABASE_MIGRATION_URL lead to different databases. Correct one of them.',
  );
});
