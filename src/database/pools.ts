import type { Pool } from 'pg';
import type { DatabaseLog } from './log.ts';
import { createPool, type PoolOptions } from './pool.ts';
import type { DatabaseAddress } from './provide-database.ts';

export interface PoolsOptions extends DatabaseAddress {
  databasePoolMax: number;
  databaseApiPoolMax: number;
  databaseIdleTimeoutMs: number;
  databaseConnectTimeoutMs: number;
  databaseQueryTimeoutMs: number;
  leaseMs: number;
  log: DatabaseLog;
  /** Told of each pool, which is to be ended. */
  onStarted: (name: string, stop: () => Promise<unknown>) => void;
}

/** The connections of one instance, one pool for each kind of caller that must not wait for the others. */
export interface Pools {
  /** For the engine, and for all that is written. */
  pool: Pool;
  /** For what the API reads: a caller may ask for more than the database can answer, and the engine goes on. */
  readPool: Pool;
  /** For the extension of leases, which waits behind nothing else. */
  leasePool: Pool;
}

/** Of a lease that one try to extend it may take. */
const LEASE_TRY_SHARE = 0.4;
/** One extends leases, one listens. */
const CONNECTIONS_BESIDE_POOLS = 2;
/** Reads wait for a lock no longer: a statement that locks a whole table holds it for long. */
const READ_LOCK_TIMEOUT_MS = 5_000;

/** How many connections an instance opens at most. */
export function connectionsOf(options: { databasePoolMax: number; databaseApiPoolMax: number }): number {
  return options.databasePoolMax + options.databaseApiPoolMax + CONNECTIONS_BESIDE_POOLS;
}

export function openPools(options: PoolsOptions): Pools {
  const { connectionString, directConnectionString } = options;
  // A try to extend leases that hangs ends in time for another, on another connection, before they are over.
  const leaseTryMs = Math.floor(options.leaseMs * LEASE_TRY_SHARE);
  return {
    pool: openPool(options, 'connection pool', { connectionString, max: options.databasePoolMax }),
    readPool: openPool(options, 'connection pool of the API', {
      connectionString,
      max: options.databaseApiPoolMax,
      lockTimeoutMs: Math.min(READ_LOCK_TIMEOUT_MS, options.databaseQueryTimeoutMs / 2),
      applicationName: 'job-scheduler api',
    }),
    leasePool: openPool(options, 'connection for leases', {
      connectionString: directConnectionString,
      max: 1,
      connectTimeoutMs: Math.min(options.databaseConnectTimeoutMs, leaseTryMs),
      answerTimeoutMs: leaseTryMs,
      applicationName: 'job-scheduler leases',
    }),
  };
}

function openPool(options: PoolsOptions, name: string, own: PoolOptions): Pool {
  const pool = createPool({
    idleTimeoutMs: options.databaseIdleTimeoutMs,
    connectTimeoutMs: options.databaseConnectTimeoutMs,
    statementTimeoutMs: options.databaseQueryTimeoutMs,
    log: options.log,
    ...own,
  });
  options.onStarted(name, () => pool.end());
  return pool;
}
