import pg from 'pg';
import type { DatabaseLog } from './log.ts';

export type PoolOptions = {
  connectionString: string;
  /** Connections at most. */
  max?: number;
  /** How long an unused connection is kept. */
  idleTimeoutMs?: number;
  /** How long a query waits for a connection: for a new one to be made, and for one of `max` to become free. */
  connectTimeoutMs?: number;
  /** Shown in pg_stat_activity, to tell the instances apart. */
  applicationName?: string;
  log?: DatabaseLog;
};

/**
 * Makes the process's pool of connections.
 *
 * Values come back as: timestamptz a Date; int8 a bigint, as Prisma's BigInt does, since its range exceeds a number's;
 * numeric a string. `count(*)` is an int8: cast it (`count(*)::int`) where a number is wanted. Elements of int8[] are
 * strings.
 *
 * A connection that breaks while nobody uses it (a restart of PostgreSQL, say) is logged and replaced; without a listener
 * the pool's error event would end the process.
 */
export function createPool(options: PoolOptions): pg.Pool {
  const {
    connectionString,
    max = 20,
    idleTimeoutMs = 30_000,
    connectTimeoutMs = 2_000,
    applicationName = 'job-scheduler',
  } = options;
  const { log = () => undefined } = options;
  const types = new pg.TypeOverrides();
  types.setTypeParser(pg.types.builtins.INT8, BigInt);
  const pool = new pg.Pool({
    connectionString,
    max,
    idleTimeoutMillis: idleTimeoutMs,
    connectionTimeoutMillis: connectTimeoutMs,
    application_name: applicationName,
    // A peer that vanished without a word is noticed by the system, not by a query that waits for ever.
    keepAlive: true,
    types,
    // Prisma's adapter reads and writes instants without their zone: they are right only where the session's is UTC.
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- pg-pool waits for it, which its types do not say
    onConnect: async (client) => {
      await client.query("SET TIME ZONE 'UTC'");
    },
  });
  pool.on('error', (error) => {
    // `end` does not wait for the goodbyes of its connections; what becomes of those is of no interest.
    if (pool.ending) return;
    log('an idle database connection was lost', { error });
  });
  return pool;
}
