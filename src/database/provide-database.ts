import { startEmbeddedPostgres, type EmbeddedPostgres } from './embedded-postgres.ts';
import type { DatabaseLog } from './log.ts';
import { migrate } from './migrate.ts';
import { surelyAnsweredMs } from './pool.ts';
import { refuseOtherDatabase, roleOf } from './runtime-role.ts';

export interface DatabaseOptions {
  /** An embedded PostgreSQL in the data folder where it is left out. */
  databaseUrl: string | undefined;
  /** The way past a pooler, where there is one. */
  databaseDirectUrl: string | undefined;
  /** Of the role that owns the tables, where that is another than the running scheduler's. */
  databaseMigrationUrl: string | undefined;
  dataDir: string;
  embeddedPostgresPort: number | undefined;
  databaseConnectTimeoutMs: number;
  databaseQueryTimeoutMs: number;
  /** How many connections this process opens at most. */
  connections: number;
  log: DatabaseLog;
  /** Told of each part that is to be stopped, as soon as it has begun. */
  onStarted: (name: string, stop: () => Promise<unknown>) => void;
}

export interface DatabaseAddress {
  connectionString: string;
  /** For sessions that last: LISTEN, leases. */
  directConnectionString: string;
}

/** Gets a database that has the schema of this version: the one that is named, else an embedded one. */
export async function provideDatabase(options: DatabaseOptions): Promise<DatabaseAddress> {
  const { databaseUrl, databaseDirectUrl = databaseUrl, databaseMigrationUrl } = options;
  if (databaseUrl === undefined || databaseDirectUrl === undefined) {
    const { connectionString, runtimeConnectionString } = await startEmbedded(options);
    await bringUpToDate(connectionString, runtimeConnectionString, options);
    return { connectionString: runtimeConnectionString, directConnectionString: runtimeConnectionString };
  }
  await bringUpToDate(databaseMigrationUrl ?? databaseDirectUrl, databaseUrl, options);
  if (databaseMigrationUrl !== undefined)
    await refuseOtherDatabase(databaseUrl, databaseMigrationUrl, options.databaseConnectTimeoutMs);
  return { connectionString: databaseUrl, directConnectionString: databaseDirectUrl };
}

async function startEmbedded(options: DatabaseOptions): Promise<EmbeddedPostgres> {
  const { dataDir, embeddedPostgresPort: port, connections, log, onStarted } = options;
  const embedded = await startEmbeddedPostgres({
    dataDir,
    connections,
    log,
    ...(port !== undefined && { port }),
  });
  onStarted('embedded PostgreSQL', embedded.stop);
  return embedded;
}

/** A stop meanwhile lets the migration that is under way come to its end, and begins no other. */
async function bringUpToDate(
  connectionString: string,
  runtimeConnectionString: string,
  options: DatabaseOptions,
): Promise<void> {
  const stopped = new AbortController();
  const migrating = migrate({
    connectionString,
    runtimeRole: roleOf(runtimeConnectionString),
    log: options.log,
    connectTimeoutMs: options.databaseConnectTimeoutMs,
    answerTimeoutMs: surelyAnsweredMs(options.databaseQueryTimeoutMs),
    signal: stopped.signal,
  });
  options.onStarted('migrations', async () => {
    stopped.abort();
    // What it fails with, the start fails with.
    await migrating.catch(() => undefined);
  });
  await migrating;
  stopped.signal.throwIfAborted();
}
