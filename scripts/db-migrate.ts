// npm run db:migrate: brings the database to this version's schema. The database is that of DATABASE_DIRECT_URL or
// DATABASE_URL, of the environment or of .env, else the embedded one in DATA_DIR.
// npm run db:migrate -- --rolled-back NAME: lets a migration that failed before be tried again.
import { parseArgs } from 'node:util';
import { startEmbeddedPostgres } from '../src/database/embedded-postgres.ts';
import { markRolledBack, migrate } from '../src/database/migrate.ts';

function log(message: string, fields?: Record<string, unknown>): void {
  console.log(fields === undefined ? message : `${message} ${JSON.stringify(fields)}`);
}

async function openDatabase(): Promise<{ connectionString: string; stop: () => Promise<void> }> {
  const { DATABASE_DIRECT_URL, DATABASE_URL, DATA_DIR } = process.env;
  // An empty variable counts as absent, as it does in a compose file.
  const connectionString = [DATABASE_DIRECT_URL, DATABASE_URL].find((url) => url !== undefined && url !== '');
  if (connectionString !== undefined) return { connectionString, stop: () => Promise.resolve() };
  return startEmbeddedPostgres({
    dataDir: DATA_DIR === undefined || DATA_DIR === '' ? 'data' : DATA_DIR,
    log,
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { 'rolled-back': { type: 'string' } } });
  const rolledBack = values['rolled-back'];
  const database = await openDatabase();
  try {
    if (rolledBack !== undefined) await markRolledBack(database.connectionString, rolledBack);
    await migrate({ connectionString: database.connectionString, log });
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
