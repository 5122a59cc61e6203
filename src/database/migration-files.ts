import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { MigrationList } from '@prisma/schema-engine-wasm/schema_engine_bg';
import { packageRoot } from './package-root.ts';

/** The schema and its migrations as they lie on disk. */
export type SchemaFiles = { schemaPath: string; migrationsDir: string };

/** Those of this installation. */
export function installedSchemaFiles(): SchemaFiles {
  const folder = join(packageRoot(), 'prisma');
  return { schemaPath: join(folder, 'schema.prisma'), migrationsDir: join(folder, 'migrations') };
}

/**
 * Reads every migration, in the order in which they apply: their names begin with a number that rises.
 *
 * @throws Error naming the file, when a migration's folder has no migration.sql
 */
export async function readMigrations(migrationsDir: string): Promise<MigrationList> {
  const folders = (await readdir(migrationsDir, { withFileTypes: true })).filter((entry) =>
    entry.isDirectory(),
  );
  const names = folders.map(({ name }) => name).sort();
  return {
    baseDir: migrationsDir,
    lockfile: {
      path: 'migration_lock.toml',
      content: await readFile(join(migrationsDir, 'migration_lock.toml'), 'utf8'),
    },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: {
            tag: 'ok' as const,
            value: await readFile(join(migrationsDir, name, 'migration.sql'), 'utf8'),
          },
        },
      })),
    ),
  };
}
