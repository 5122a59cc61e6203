// npm run db:migrate: brings the database to this version's schema. The database is that of DATABASE_MIGRATION_URL,
// DATABASE_DIRECT_URL or DATABASE_URL, of the environment or of .env, else the embedded one in DATA_DIR.
// npm run db:migrate -- --rolled-back NAME: lets a migration that failed before be tried again.
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../src/database/embedded-postgres.ts';
import { markRolledBack, migrate } from '../src/database/migrate.ts';
import { roleOf } from '../src/database/runtime-role.ts';

function log(message: string, fields?: Record<string, unknown>): void {
  console.log(fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
}

/** An empty variable counts as absent, as it does in a compose file. */
function variable(name: string): string | undefined {
  const value = process.env[name];
  return value === '' ? undefined : value;
}

async function openDatabase(): Promise<EmbeddedPostgres> {
  const databaseUrl = variable('DATABASE_URL');
  if (databaseUrl === undefined)
    return startEmbeddedPostgres({ dataDir: variable('DATA_DIR') ?? 'data', log });
  return {
    connectionString: variable('DATABASE_MIGRATION_URL') ?? variable('DATABASE_DIRECT_URL') ?? databaseUrl,
    runtimeConnectionString: databaseUrl,
    stop: () => Promise.resolve(),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { 'rolled-back': { type: 'string' } } });
  const rolledBack = values['rolled-back'];
  const database = await openDatabase();
  try {
    if (rolledBack !== undefined) await markRolledBack(database.connectionString, rolledBack);
    await migrate({
      connectionString: database.connectionString,
      runtimeRole: roleOf(database.runtimeConnectionString),
      log,
    });
  } finally {
    await database.stop();
  }
}

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
