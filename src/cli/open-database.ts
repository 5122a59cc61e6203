import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { StartError } from '../async/start-error.ts';
import { createStartedParts } from '../async/started-parts.ts';
import type { Config } from '../config/config.ts';
import { unreachable } from '../database/address.ts';
import { findEmbeddedPostgres } from '../database/embedded-postgres.ts';
import { createPool } from '../database/pool.ts';
import { provideDatabase } from '../database/provide-database.ts';
import { sessionSettings } from '../database/session.ts';
import { createWakeUps, type WakeUp } from '../events/wakeups.ts';
import { createDatabaseClock, type DatabaseClock } from '../store/upkeep/database-clock.ts';

/** Connections of one command. */
const CONNECTIONS = 2;

export interface OpenDatabase {
  pool: Pool;
  clock: DatabaseClock;
  /** Wakes the instances that run. */
  wake: (...kinds: WakeUp[]) => void;
  close: () => Promise<void>;
}

/**
 * Opens the database that a server with this configuration would use. The embedded one may be open in a running server; if it is
 * not, it is started, and stopped at the end.
 *
 * @throws StartError in words for the operator
 */
export async function openDatabase(config: Config): Promise<OpenDatabase> {
  const parts = createStartedParts(() => undefined);
  try {
    return await openWith(config, parts);
  } catch (error) {
    await parts.stop();
    throw error;
  }
}

async function openWith(config: Config, parts: ReturnType<typeof createStartedParts>): Promise<OpenDatabase> {
  const running = config.databaseUrl ?? (await findEmbeddedPostgres(config.dataDir));
  const connectionString = running ?? (await startEmbedded(config, parts.add));
  const pool = createPool({
    connectionString,
    max: CONNECTIONS,
    connectTimeoutMs: config.databaseConnectTimeoutMs,
    applicationName: 'job-scheduler command line',
  });
  parts.add('pool', () => pool.end());
  const clock = await createDatabaseClock(pool).catch((error: unknown) => {
    throw unreachable(connectionString, error);
  });
  await refuseWithoutTables(pool);
  const wakeUps = createWakeUps({
    db: pool,
    instanceId: `command-line-${randomBytes(4).toString('hex')}`,
    connectionString,
    sessionSettings: sessionSettings(config.databaseQueryTimeoutMs),
    // A wake-up that is lost costs the rest of an interval.
    onError: () => undefined,
  });
  parts.add('wake-ups', wakeUps.stop);
  return { pool, clock, wake: wakeUps.wake, close: parts.stop };
}

async function startEmbedded(
  config: Config,
  onStarted: (name: string, stop: () => Promise<unknown>) => void,
): Promise<string> {
  const { connectionString } = await provideDatabase({
    ...config,
    connections: CONNECTIONS,
    log: () => undefined,
    onStarted,
  });
  return connectionString;
}

async function refuseWithoutTables(pool: Pool): Promise<void> {
  const { rows } = await pool.query<{ isThere: boolean }>(
    `SELECT to_regclass('api_keys') IS NOT NULL AS "isThere"`,
  );
  if (rows[0]?.isThere !== true) {
    throw new StartError(
      'The database has no table for API keys yet. Start the server once, or apply the migrations with npm run db:migrate.',
    );
  }
}
