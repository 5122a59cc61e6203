import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, vi } from 'vitest';
import { createPool } from '../../src/database/pool.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { startServerProcess, type ServerProcess } from './server-process.ts';
import { startTarget, type TargetServer } from './target-server.ts';

/** What an acceptance test works with: real processes on a database of their own, and a scripted target. */
export type World = {
  readonly connectionString: string;
  /** The test's own look at the database. */
  readonly pool: Pool;
  readonly target: TargetServer;
  /** Starts one more server on the world's database. */
  startServer: (env?: Record<string, string>) => Promise<ServerProcess>;
};

/** Processes start in seconds, on a busy machine in more; nothing here waits longer than it must. */
const TEST_LIMIT_MS = 120_000;

/** The test's own look at a database, which waits for a busy machine as long as the test does. */
export function observingPool(connectionString: string): Pool {
  return createPool({ connectionString, max: 4, connectTimeoutMs: TEST_LIMIT_MS, applicationName: 'test' });
}

/** Has a server migrate as the owner, and work under a role that only reads and writes rows. */
function asRuntimeRole(ownerConnectionString: string): Record<string, string> {
  const runtime = new URL(ownerConnectionString);
  runtime.username = 'runtime';
  runtime.password = 'runtime';
  return { DATABASE_URL: runtime.href, DATABASE_MIGRATION_URL: ownerConnectionString };
}

/**
 * Registers the hooks that make a world for each test, or one for the whole file, and end it with every server in it.
 * Where a test fails, what its servers wrote is shown.
 */
export function useWorld(per: 'test' | 'file'): World {
  let database: TestDatabase;
  let pool: Pool;
  let target: TargetServer;
  let servers: ServerProcess[] = [];
  vi.setConfig({ testTimeout: TEST_LIMIT_MS, hookTimeout: TEST_LIMIT_MS });

  async function open(): Promise<void> {
    [database, target] = await Promise.all([createTestDatabase(), startTarget()]);
    pool = observingPool(database.connectionString);
  }

  async function close(): Promise<void> {
    await Promise.all(servers.map((server) => server.kill()));
    servers = [];
    await target.close();
    await pool.end();
    await database.drop();
  }

  if (per === 'test') {
    beforeEach(open);
    afterEach(close);
  } else {
    beforeAll(open);
    afterAll(close);
  }
  // Registered last, so run first: the servers are still there.
  afterEach(({ task }) => {
    if (task.result?.state !== 'fail') return;
    for (const { instanceId, output } of servers)
      process.stderr.write(`── ${instanceId}, in "${task.name}"\n${output()}\n`);
  });

  return {
    get connectionString() {
      return database.connectionString;
    },
    get pool() {
      return pool;
    },
    get target() {
      return target;
    },
    async startServer(env = {}) {
      const server = await startServerProcess({ ...asRuntimeRole(database.connectionString), ...env });
      servers.push(server);
      return server;
    },
  };
}
