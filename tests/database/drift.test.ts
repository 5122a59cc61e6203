import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { diffSchema } from '../../src/database/drift.ts';
import { installedSchemaFiles } from '../../src/database/migration-files.ts';
import { query } from './embedded.ts';
import { copyMigrations, emptyDatabase } from './migrations.ts';

it('finds no difference between the schema and the migrations of this version', async () => {
  expect(await diffSchema(installedSchemaFiles(), await emptyDatabase())).toBeNull();
});

it('names the parts that the schema has and the migrations lack', async () => {
  const { migrationsDir } = await copyMigrations();
  const schema = await readFile(installedSchemaFiles().schemaPath, 'utf8');
  const schemaPath = join(migrationsDir, 'schema.prisma');
  await writeFile(schemaPath, schema.replace(/^model Job \{/m, 'model Job {\n  forgotten String?'));
  expect(await diffSchema({ schemaPath, migrationsDir }, await emptyDatabase())).toMatch(
    /Changed the `jobs` table\s+\[\+\] Added column `forgotten`/,
  );
});

it('ignores parts that the schema language cannot express', async () => {
  const { migrationsDir, write } = await copyMigrations();
  await write(
    '99990101000000_later',
    `CREATE INDEX active_names ON jobs (name) WHERE status = 'ACTIVE';
     ALTER TABLE jobs ADD CONSTRAINT name_is_not_x CHECK (name <> 'x');
     CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1';
     ALTER TABLE jobs SET (autovacuum_vacuum_scale_factor = 0.01);`,
  );
  expect(await diffSchema({ ...installedSchemaFiles(), migrationsDir }, await emptyDatabase())).toBeNull();
});

it('uses an empty database only, and leaves it empty', async () => {
  const shadow = await emptyDatabase();
  await diffSchema(installedSchemaFiles(), shadow);
  const tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace";
  expect(await query(shadow, tables)).toEqual([]);

  await query(shadow, 'CREATE TABLE precious (id int)');
  await expect(diffSchema(installedSchemaFiles(), shadow)).rejects.toThrow(
    'The shadow database is not empty',
  );
  expect(await query(shadow, tables)).toEqual([{ relname: 'precious' }]);
});
