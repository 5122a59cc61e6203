// npm run db:diff: does prisma/schema.prisma say more than the migrations build? Exit code 1 and a summary if so.
// Compares in SHADOW_DATABASE_URL, an empty database, where that is given, else in an embedded one made for the purpose.
import { diffSchema } from '../src/database/drift.ts';
import { startEmbeddedPostgres } from '../src/database/embedded-postgres.ts';
import { installedSchemaFiles } from '../src/database/migration-files.ts';
import { makeTempFolder } from '../tests/support/temp-folder.ts';

async function withShadowDatabase<T>(use: (connectionString: string) => Promise<T>): Promise<T> {
  const given = process.env['SHADOW_DATABASE_URL'];
  if (given !== undefined && given !== '') return use(given);

  const folder = await makeTempFolder('diff');
  try {
    const server = await startEmbeddedPostgres({ dataDir: folder.path, settings: { fsync: 'off' } });
    try {
      return await use(server.connectionString);
    } finally {
      await server.stop();
    }
  } finally {
    await folder.remove();
  }
}

try {
  const difference = await withShadowDatabase((connectionString) =>
    diffSchema(installedSchemaFiles(), connectionString),
  );
  if (difference === null) {
    console.log('The migrations build the schema.');
  } else {
    console.error(
      `The schema is not what the migrations build. To get there from the migrations:\n${difference}\nAdd a migration under prisma/migrations.`,
    );
    process.exitCode = 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
