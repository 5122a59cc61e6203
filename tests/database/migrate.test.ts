import { readdir } from 'node:fs/promises';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { markRolledBack, migrate, type MigrateOptions } from '../../src/database/migrate.ts';
import { installedSchemaFiles } from '../../src/database/migration-files.ts';
import { recordingItsEnd } from '../../src/database/migration-record.ts';
import { startCuttingProxy, type CuttingProxy } from '../support/cutting-proxy.ts';
import { until } from '../support/until.ts';
import { query } from './embedded.ts';
import { copyMigrations, emptyDatabase, type MigrationsCopy } from './migrations.ts';

const LATER = '99990101000000_later';

async function installedMigrations(): Promise<string[]> {
  const entries = await readdir(installedSchemaFiles().migrationsDir, { withFileTypes: true });
  return entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
}

it('applies every migration to an empty database, and nothing the second time', async () => {
  const connectionString = await emptyDatabase();
  expect(await migrate({ connectionString })).toEqual({ applied: await installedMigrations() });
  expect(await migrate({ connectionString })).toEqual({ applied: [] });
  expect(await query(connectionString, 'SELECT count(*)::int AS jobs FROM jobs')).toEqual([{ jobs: 0 }]);
});

it('applies each migration once when several instances start at once', async () => {
  const connectionString = await emptyDatabase();
  const results = await Promise.all(Array.from({ length: 4 }, () => migrate({ connectionString })));
  expect(results.flatMap(({ applied }) => applied)).toEqual(await installedMigrations());
});

it('records migrations as Prisma’s own command does', async () => {
  const connectionString = await emptyDatabase();
  await migrate({ connectionString });
  const rows = await query(
    connectionString,
    `SELECT migration_name, checksum ~ '^[0-9a-f]{64}$' AS sha256, finished_at IS NOT NULL AS finished,
            rolled_back_at, applied_steps_count FROM _prisma_migrations ORDER BY started_at`,
  );
  expect(rows).toEqual(
    (await installedMigrations()).map((migration_name) => ({
      migration_name,
      sha256: true,
      finished: true,
      rolled_back_at: null,
      applied_steps_count: 1,
    })),
  );
});

it('runs functions with semicolons in their bodies, and comments with them', async () => {
  const connectionString = await emptyDatabase();
  const { migrationsDir, write } = await copyMigrations();
  await write(
    LATER,
    `-- Two statements; one of them is a function.
     CREATE FUNCTION answer() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 42; END $$;
     CREATE TABLE answers AS SELECT answer() AS answer;`,
  );
  await migrate({ connectionString, migrationsDir });
  expect(await query(connectionString, 'SELECT * FROM answers')).toEqual([{ answer: 42 }]);
});

it('refuses a database that is ahead of this version', async () => {
  const connectionString = await emptyDatabase();
  const { migrationsDir, write } = await copyMigrations();
  await write(LATER, 'CREATE TABLE later (id int);');
  await migrate({ connectionString, migrationsDir });
  await expect(migrate({ connectionString })).rejects.toThrow(
    `The database is ahead of this version of the scheduler: it has the migrations ${LATER}, which this version does not know.`,
  );
});

it('refuses a migration that was edited after it was applied', async () => {
  const connectionString = await emptyDatabase();
  const { migrationsDir, write } = await copyMigrations();
  await write(LATER, 'CREATE TABLE later (id int);');
  await migrate({ connectionString, migrationsDir });
  await write(LATER, 'CREATE TABLE later (id bigint);');
  await expect(migrate({ connectionString, migrationsDir })).rejects.toThrow(
    `Edited after they were applied to this database: migrations ${LATER}.`,
  );
});

it('leaves nothing of a failed migration, and refuses to continue until a user acknowledges it', async () => {
  const connectionString = await emptyDatabase();
  const { migrationsDir, write } = await copyMigrations();
  await write(LATER, 'CREATE TABLE half (id int); CREATE TABLE half (id int);');
  await expect(migrate({ connectionString, migrationsDir })).rejects.toThrow(
    `Migration ${LATER} failed: ERROR: relation "half" already exists`,
  );
  expect(await query(connectionString, "SELECT to_regclass('half') AS half")).toEqual([{ half: null }]);

  await write(LATER, 'CREATE TABLE half (id int);');
  await expect(migrate({ connectionString, migrationsDir })).rejects.toThrow(
    `npm run db:migrate -- --rolled-back ${LATER}`,
  );
  await markRolledBack(connectionString, LATER);
  expect(await migrate({ connectionString, migrationsDir })).toEqual({ applied: [LATER] });
});

describe('a migration that is interrupted', () => {
  /** A script that stops in the middle, at a lock of the test. */
  const STOPS_HALFWAY =
    'CREATE TABLE half (id int); LOCK TABLE of_the_test; CREATE TABLE other_half (id int); -- The end.';

  let connectionString: string;
  let copy: MigrationsCopy;
  let holder: pg.Client;
  let proxy: CuttingProxy;

  beforeEach(async () => {
    connectionString = await emptyDatabase();
    copy = await copyMigrations();
    await migrate({ connectionString });
    holder = new pg.Client({ connectionString });
    holder.on('error', () => undefined);
    await holder.connect();
    await holder.query('CREATE TABLE of_the_test ()');
    await holder.query('BEGIN; LOCK TABLE of_the_test');
    proxy = await startCuttingProxy(() => connectionString);
  });

  afterEach(async () => {
    await proxy.close();
    await holder.end();
  });

  function migrateCopy(options: Partial<MigrateOptions> = {}): Promise<{ applied: string[] }> {
    return migrate({ connectionString, migrationsDir: copy.migrationsDir, ...options });
  }

  function throughProxy(): string {
    const { pathname, username, password } = new URL(connectionString);
    return Object.assign(new URL(proxy.url), { protocol: 'postgresql:', pathname, username, password }).href;
  }

  /** The server process that waits for a lock of a kind, such as 'relation'. */
  function waiting(locktype: string): Promise<number> {
    return until(async () => {
      const [waiter] = (await query(
        connectionString,
        `SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
          WHERE NOT granted AND locktype = '${locktype}' AND datname = current_database()`,
      )) as { pid: number }[];
      return waiter?.pid;
    });
  }

  /** Starts the script, and kills the process that sent it. */
  async function vanishHalfway(): Promise<{ orphan: number }> {
    const migrating = migrateCopy({ connectionString: throughProxy() });
    const orphan = await waiting('relation');
    proxy.cut();
    await expect(migrating).rejects.toThrow();
    return { orphan };
  }

  it('is retried by the next start', async () => {
    await copy.write(LATER, STOPS_HALFWAY);
    const { orphan } = await vanishHalfway();
    await holder.query('SELECT pg_terminate_backend($1, 10000)', [orphan]);
    await holder.query('COMMIT');

    const messages: string[] = [];
    expect(await migrateCopy({ log: (message) => messages.push(message) })).toEqual({ applied: [LATER] });
    expect(messages).toContain('nothing of the interrupted migration was applied; it is tried again');
    expect(await query(connectionString, 'SELECT FROM other_half')).toEqual([]);
    expect(await migrateCopy()).toEqual({ applied: [] });
  });

  it('is awaited while the server continues it, and is not retried once it has committed', async () => {
    await copy.write(LATER, STOPS_HALFWAY);
    await vanishHalfway();
    const messages: string[] = [];
    const next = migrateCopy({ log: (message) => messages.push(message) });
    await waiting('transactionid');
    await holder.query('COMMIT');

    expect(await next).toEqual({ applied: [] });
    expect(messages).toContain('the interrupted migration came to its end');
    expect(await query(connectionString, 'SELECT FROM other_half')).toEqual([]);
  });

  it('is retried when only the connection was lost and the process survived', async () => {
    await copy.write(LATER, STOPS_HALFWAY);
    const migrating = migrateCopy();
    const settled = expect(migrating).rejects.toThrow(
      'The connection to the database was lost: terminating connection due to administrator command',
    );
    await holder.query('SELECT pg_terminate_backend($1, 10000)', [await waiting('relation')]);
    await settled;
    await holder.query('COMMIT');
    expect(await migrateCopy()).toEqual({ applied: [LATER] });
  });

  it('is refused when its script had ended its transaction itself', async () => {
    await copy.write(LATER, 'CREATE TABLE half (id int); COMMIT; LOCK TABLE of_the_test;');
    const { orphan } = await vanishHalfway();
    await holder.query('SELECT pg_terminate_backend($1, 10000)', [orphan]);
    await expect(migrateCopy()).rejects.toThrow(`Migration ${LATER} failed in this database before.`);
  });

  it('is left to another program, or to an operator, when that program has started it', async () => {
    await copy.write(LATER, 'CREATE TABLE later (id int);');
    await holder.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('other', '', '${LATER}')`,
    );
    await holder.query('COMMIT');
    await expect(migrateCopy()).rejects.toThrow(`Migration ${LATER} failed in this database before.`);
  });

  it('does not run any more after it was given up', async () => {
    await holder.query(
      `INSERT INTO _prisma_migrations (id, checksum, migration_name, rolled_back_at) VALUES ('given-up', '', 'x', now())`,
    );
    await expect(holder.query(recordingItsEnd('CREATE TABLE half (id int)', 'given-up'))).rejects.toThrow(
      'The migration was given up meanwhile',
    );
    expect(await query(connectionString, "SELECT to_regclass('half') AS half")).toEqual([{ half: null }]);
  });

  it('by a stop finishes, and the later ones are left to the next start', async () => {
    const last = '99990101000001_last';
    await copy.write(LATER, STOPS_HALFWAY);
    await copy.write(last, 'CREATE TABLE last (id int);');
    const stop = new AbortController();
    const migrating = migrateCopy({ signal: stop.signal });
    const settled = expect(migrating).rejects.toThrow('The server is stopping');
    await waiting('relation');
    stop.abort(new Error('The server is stopping'));
    await holder.query('COMMIT');
    await settled;
    expect(await query(connectionString, 'SELECT FROM other_half')).toEqual([]);
    expect(await migrateCopy()).toEqual({ applied: [last] });
  });

  it('by a stop is not awaited when another instance runs it', async () => {
    await copy.write(LATER, STOPS_HALFWAY);
    const first = migrateCopy();
    await waiting('relation');
    const stop = new AbortController();
    const log: string[] = [];
    const second = migrateCopy({ signal: stop.signal, log: (message) => log.push(message) });
    const settled = expect(second).rejects.toThrow('The server is stopping');
    await until(() => log.includes('waiting for another instance that is migrating the database'));
    stop.abort(new Error('The server is stopping'));
    await settled;
    await holder.query('COMMIT');
    expect(await first).toEqual({ applied: [LATER] });
  });
});

it('distinguishes a script that fails within its own transaction from a lost connection', async () => {
  const connectionString = await emptyDatabase();
  const { migrationsDir, write } = await copyMigrations();
  await write(LATER, 'BEGIN; CREATE TABLE half (id int); SELECT 1 / 0; COMMIT;');
  await expect(migrate({ connectionString, migrationsDir })).rejects.toThrow(
    `Migration ${LATER} failed: ERROR: division by zero`,
  );
  await expect(migrate({ connectionString, migrationsDir })).rejects.toThrow(
    'failed in this database before',
  );
});

it('refuses a database that contains other tables', async () => {
  const connectionString = await emptyDatabase();
  await query(connectionString, 'CREATE TABLE of_another_program (id int)');
  await expect(migrate({ connectionString })).rejects.toThrow(
    'The database holds tables that are not the scheduler’s.',
  );
});

it('reports that the database cannot be reached, and why', async () => {
  await expect(migrate({ connectionString: 'postgresql://127.0.0.1:1/none' })).rejects.toThrow(
    'The database at 127.0.0.1:1 cannot be reached: connect ECONNREFUSED 127.0.0.1:1',
  );
});
