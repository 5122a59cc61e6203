import pg from 'pg';
import type { DatabaseLog } from './log.ts';
import { sessionSettings } from './session.ts';
import { closeSilentConnections } from './silent-connections.ts';

export type PoolOptions = {
  connectionString: string;
  /** Connections at most. */
  max?: number;
  /** How long an unused connection is kept. */
  idleTimeoutMs?: number;
  /** How long a query waits for a connection: for a new one to be made, and for one of `max` to become free. */
  connectTimeoutMs?: number;
  /** How long a statement may take before the server ends it; locks that it waits for included. */
  statementTimeoutMs?: number;
  /** How long a statement may wait for a lock; as long as it may take where this is left out. */
  lockTimeoutMs?: number;
  /** How long to wait for a statement's answer; enough for the server to end the statement where this is left out. */
  answerTimeoutMs?: number;
  /** Shown in pg_stat_activity, to tell the instances apart. */
  applicationName?: string;
  log?: DatabaseLog;
};

/** On top of a statement's own time: for the way to the server and back. */
const MAX_WAY_MS = 2_000;
/** Where nothing is asked for a while, the system finds out within half a minute that the peer has vanished. */
const KEEP_ALIVE_DELAY_MS = 10_000;

/**
 * Makes the process's pool of connections.
 *
 * Values come back as: timestamptz a Date; int8 a bigint, as Prisma's BigInt does, since its range exceeds a number's;
 * numeric a string. `count(*)` is an int8: cast it (`count(*)::int`) where a number is wanted. Elements of int8[] are
 * strings.
 *
 * A connection that breaks while nobody uses it (a restart of PostgreSQL, say) is logged and replaced. One that breaks in
 * the hands of a caller fails the caller's next statement.
 *
 * A statement is bounded twice: the server ends one that takes longer than `statementTimeoutMs`; where not even that comes
 * back, the connection has fallen silent and is closed, together with those that rest since before.
 *
 * Behind a pooler in transaction mode, the sessions' settings are shared by all pools of the same user: they must not
 * differ from pool to pool.
 */
export function createPool(options: PoolOptions): pg.Pool {
  const {
    connectionString,
    max = 20,
    idleTimeoutMs = 30_000,
    connectTimeoutMs = 2_000,
    statementTimeoutMs = 15_000,
    answerTimeoutMs = surelyAnsweredMs(statementTimeoutMs),
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
    query_timeout: answerTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
    types,
    // eslint-disable-next-line @typescript-eslint/no-misused-promises -- pg-pool waits for it, which its types do not say
    onConnect: async (client) => {
      await client.query(sessionSettings(statementTimeoutMs, options.lockTimeoutMs));
    },
  });
  pool.on('error', (error) => {
    // `end` does not wait until its connections are closed; their errors do not matter.
    if (pool.ending) return;
    // pg hangs its whole client on the error: pages of log, and nothing in them that helps.
    Object.defineProperty(error, 'client', { enumerable: false });
    log('an idle database connection was lost', { error });
  });
  // The pool listens only to connections that nobody uses. Without a listener an error event ends the process.
  pool.on('connect', (client) => client.on('error', () => undefined));
  closeSilentConnections(pool);
  return pool;
}

/** After how long a statement that the server ends in time has surely had its answer. */
export function surelyAnsweredMs(statementTimeoutMs: number): number {
  return statementTimeoutMs + Math.min(statementTimeoutMs / 4, MAX_WAY_MS);
}
