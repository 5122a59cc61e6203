import { readdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { markRolledBack, migrate } from '../../src/database/migrate.ts';
import { installedSchemaFiles } from '../../src/database/migration-files.ts';
import { query } from './embedded.ts';
import { copyMigrations, emptyDatabase } from './migrations.ts';

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

it('runs functions, whose bodies hold semicolons, and comments that do', async () => {
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

it('refuses when a migration was edited after it was applied', async () => {
  const connectionString = await emptyDatabase();
  const { migrationsDir, write } = await copyMigrations();
  await write(LATER, 'CREATE TABLE later (id int);');
  await migrate({ connectionString, migrationsDir });
  await write(LATER, 'CREATE TABLE later (id bigint);');
  await expect(migrate({ connectionString, migrationsDir })).rejects.toThrow(
    `Edited after they were applied to this database: migrations ${LATER}.`,
  );
});

it('leaves nothing of a migration that fails, and refuses to go on until that is acknowledged', async () => {
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

it('refuses a database that holds tables of something else', async () => {
  const connectionString = await emptyDatabase();
  await query(connectionString, 'CREATE TABLE of_another_program (id int)');
  await expect(migrate({ connectionString })).rejects.toThrow(
    'The database holds tables that are not the scheduler’s.',
  );
});

it('says that the database cannot be reached, and why', async () => {
  await expect(migrate({ connectionString: 'postgresql://127.0.0.1:1/none' })).rejects.toThrow(
    'The database cannot be reached: connect ECONNREFUSED 127.0.0.1:1',
  );
});
