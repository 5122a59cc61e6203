import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { hasCode } from './embedded/errors.ts';
import { readMigrations, type SchemaFiles } from './migration-files.ts';
import { withSchemaEngine } from './schema-engine.ts';

/**
 * Compares the schema with what the migrations build.
 *
 * Not compared is what the schema language cannot say: CHECK constraints, partial indexes, functions, triggers and storage
 * settings. An index without a condition is compared, of whatever kind.
 *
 * @param shadowConnectionString an empty database, which the migrations are run in; it is empty again afterwards
 * @returns a summary for people of what the migrations lack, or null when they build the schema
 * @throws Error when the shadow database is not empty, or a migration fails in it
 */
export async function diffSchema(
  { schemaPath, migrationsDir }: SchemaFiles,
  shadowConnectionString: string,
): Promise<string | null> {
  const migrations = await readMigrations(migrationsDir);
  const schema = { path: basename(schemaPath), content: await readFile(schemaPath, 'utf8') };
  return withSchemaEngine(
    { connectionString: shadowConnectionString, shadowConnectionString },
    async (engine) => {
      const { exitCode, stdout } = await engine
        .diff({
          from: { tag: 'migrations', ...migrations },
          to: { tag: 'schemaDatamodel', files: [schema] },
          script: false,
          // Only then does a difference show in the result's own exit code.
          exitCode: true,
          filters: { externalTables: [], externalEnums: [] },
        })
        .catch((error: unknown) => {
          throw hasCode(error, 'P3026')
            ? new Error('The shadow database is not empty; give an empty one.', { cause: error })
            : error;
        });
      return exitCode === 0 ? null : (stdout ?? 'The schema and the migrations differ.');
    },
  );
}
