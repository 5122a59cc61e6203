import type { MigrationList } from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';
import { setTimeout as delay } from 'node:timers/promises';
import { StartError } from '../async/start-error.ts';
import { unreachable } from './address.ts';
import { hangUp } from './hang-up.ts';
import type { DatabaseLog } from './log.ts';
import { installedSchemaFiles, readMigrations } from './migration-files.ts';
import { settleInterrupted } from './migration-record.ts';
import { refuseReadOnly } from './read-only.ts';
import { provideRuntimeRole, type DatabaseRole } from './runtime-role.ts';
import { sessionSettings } from './session.ts';
import { withSchemaEngine, type SchemaEngine } from './schema-engine.ts';

export type MigrateOptions = {
  /** A direct connection: the lock belongs to a session, which a transaction pooler does not keep. */
  connectionString: string;
  /** Whom the running scheduler logs in as; is let read and write rows. Left out where that is the owner itself. */
  runtimeRole?: DatabaseRole;
  log?: DatabaseLog;
  /** Another folder of migrations than this installation's. */
  migrationsDir?: string;
  /** How long to wait for a connection. */
  connectTimeoutMs?: number;
  /** How long the database may take to answer what is no migration's script. */
  answerTimeoutMs?: number;
  /** Ends a wait for others at once, and after the migration that is under way, if any, everything. */
  signal?: AbortSignal;
};

/** Arbitrary, and the same in every version: it is how instances that start at once find each other. */
const LOCK_KEY = 7_263_014_551;
const OLDEST_SERVER = 14;
/** How often a database that another instance migrates is looked at. */
const LOOK_AGAIN_MS = 100;
const NO_FILTER = { externalTables: [], externalEnums: [] };

/**
 * Brings the database to the schema of this version: applies every migration that it does not have yet, each whole or
 * not at all, and records them as `prisma migrate deploy` does.
 *
 * Safe when several instances start at once: one applies, the others wait and find nothing left to do.
 *
 * @returns the names of the migrations applied by this call
 * @throws Error that says what to do, and nothing is changed, when the database is ahead of this version, when
 * a migration was edited after it was applied, when an earlier one failed, or when the database holds foreign tables.
 * When a migration fails, the error names it and the cause. The signal's reason, when that kept it from its end
 */
export async function migrate(options: MigrateOptions): Promise<{ applied: string[] }> {
  const { log = () => undefined, migrationsDir, runtimeRole } = options;
  const migrations = await readMigrations(migrationsDir ?? installedSchemaFiles().migrationsDir);
  return withMigrationLock(options, async (owner) => {
    const applied = await withSchemaEngine(options, (engine) => applyMissing(engine, migrations));
    if (runtimeRole !== undefined) await provideRuntimeRole(owner, runtimeRole);
    log('database is up to date', { applied });
    return { applied };
  });
}

async function applyMissing(engine: SchemaEngine, migrations: MigrationList): Promise<string[]> {
  await refuseUnlessSound(engine, migrations);
  try {
    const filters = NO_FILTER;
    return (await engine.applyMigrations({ migrationsList: migrations, filters })).appliedMigrationNames;
  } catch (error) {
    throw explain(error);
  }
}

/**
 * Records that what a failed migration left behind has been cleaned up, so that it is tried again. As migrations apply
 * whole or not at all, there is nothing to clean up unless the script ends its transaction itself.
 */
export async function markRolledBack(connectionString: string, migrationName: string): Promise<void> {
  await withMigrationLock({ connectionString }, () =>
    withSchemaEngine({ connectionString }, (engine) => engine.markMigrationRolledBack({ migrationName })),
  );
}

async function withMigrationLock<T>(
  options: MigrateOptions,
  use: (owner: pg.Client) => Promise<T>,
): Promise<T> {
  const { connectionString, connectTimeoutMs = 2_000, answerTimeoutMs = 15_000 } = options;
  const { log = () => undefined, signal } = options;
  const client = new pg.Client({
    connectionString,
    application_name: 'job-scheduler migrations',
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: answerTimeoutMs,
    keepAlive: true,
  });
  // Losing the connection loses the lock; the engine, on its own connection, then fails or finishes as well.
  client.on('error', () => undefined);
  try {
    await client.connect().catch((error: unknown) => {
      throw unreachable(connectionString, error);
    });
    await client.query(sessionSettings(0));
    await refuseOldServer(client);
    await refuseReadOnly(client, connectionString);
    await takeTurn(client, log, signal);
    return await use(client);
  } finally {
    // The end of the session gives the lock back.
    await hangUp(client);
  }
}

/** Waits for other instances, and for what is left of those that are gone. */
async function takeTurn(client: pg.Client, log: DatabaseLog, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const stopWaiting = () => void client.end();
  signal?.addEventListener('abort', stopWaiting);
  try {
    if (!(await tryLock(client))) {
      log('waiting for another instance that is migrating the database');
      do await delay(LOOK_AGAIN_MS, undefined, signal && { signal });
      while (!(await tryLock(client)));
    }
    await settleInterrupted(client, log);
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener('abort', stopWaiting);
  }
}

async function tryLock(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
    LOCK_KEY,
  ]);
  return rows[0]?.locked === true;
}

async function refuseOldServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: string }>(
    "SELECT current_setting('server_version') AS version",
  );
  const version = rows[0]?.version ?? '';
  if (Number.parseInt(version, 10) < OLDEST_SERVER) {
    throw new StartError(
      `The database is PostgreSQL ${version}; the scheduler needs ${OLDEST_SERVER} or later.`,
    );
  }
}

async function refuseUnlessSound(engine: SchemaEngine, migrations: MigrationList): Promise<void> {
  const found = await engine.diagnoseMigrationHistory({
    migrationsList: migrations,
    optInToShadowDatabase: false,
    filters: NO_FILTER,
  });
  const [failed] = found.failedMigrationNames;
  if (failed !== undefined) {
    throw new StartError(
      `Migration ${failed} failed in this database before. Find the cause (column logs of table _prisma_migrations), ` +
        `undo what it may have left, then run: npm run db:migrate -- --rolled-back ${failed}`,
    );
  }
  if (found.editedMigrationNames.length > 0) {
    throw new StartError(
      `Edited after they were applied to this database: migrations ${found.editedMigrationNames.join(', ')}. ` +
        'Restore the files as they were, and put the change into a new migration.',
    );
  }
  if (found.history !== null && found.history.diagnostic !== 'databaseIsBehind') {
    throw new StartError(
      `The database is ahead of this version of the scheduler: it has the migrations ${found.history.unpersistedMigrationNames.join(', ')}, ` +
        'which this version does not know. Start the newer version, or restore a backup from before the upgrade.',
    );
  }
}

/**
 * Puts the engine's errors into our words: their text is a chain of internal causes, with PostgreSQL's message and
 * the migration's name somewhere within.
 */
function explain(error: unknown): Error {
  const { code, message } = error as { code?: string; message: string };
  if (code === 'P3005') {
    return new StartError(
      'The database holds tables that are not the scheduler’s. Give it an empty database of its own.',
      { cause: error },
    );
  }
  const migrationName = /migration_name="([^"]+)"/.exec(message)?.[1];
  const reason = /Error querying the database: (.*?)(?:\n +0: |$)/s.exec(message)?.[1];
  if (migrationName === undefined || reason === undefined) return error as Error;
  return new StartError(`Migration ${migrationName} failed: ${reason}`, { cause: error });
}
