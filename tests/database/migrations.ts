import { cp, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { installedSchemaFiles } from '../../src/database/migration-files.ts';
import { createEmptyDatabase } from '../support/database.ts';
import { makeTempFolder } from '../support/temp-folder.ts';

/** An empty database that is dropped at the end of the test. */
export async function emptyDatabase(): Promise<string> {
  const { connectionString, drop } = await createEmptyDatabase();
  onTestFinished(drop);
  return connectionString;
}

export type MigrationsCopy = { migrationsDir: string; write: (name: string, sql: string) => Promise<void> };

/** The real migrations in a folder to which a test may add its own. */
export async function copyMigrations(): Promise<MigrationsCopy> {
  const folder = await makeTempFolder('migrations');
  onTestFinished(folder.remove);
  await cp(installedSchemaFiles().migrationsDir, folder.path, { recursive: true });
  return {
    migrationsDir: folder.path,
    write: async (name, sql) => {
      await mkdir(join(folder.path, name), { recursive: true });
      await writeFile(join(folder.path, name, 'migration.sql'), sql);
    },
  };
}
