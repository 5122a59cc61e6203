import type { Pool } from 'pg';
import { onTestFailed, onTestFinished } from 'vitest';
import { createPool } from '../../../src/database/pool.ts';
import { startServerProcess, type ServerProcess } from '../server-process.ts';
import { startTarget, type TargetServer } from '../target-server.ts';
import { startFragileDatabase, type FragileDatabase } from './database.ts';

/** Servers, a target and a PostgreSQL that only they use, so that it may be taken from them. */
export type FragileWorld = {
  database: FragileDatabase;
  pool: Pool;
  target: TargetServer;
  startServer: (env?: Record<string, string>) => Promise<ServerProcess>;
};

/** Makes one that lasts until the test ends. */
export async function makeFragileWorld(): Promise<FragileWorld> {
  const target = await startTarget();
  onTestFinished(target.close);
  const database = await startFragileDatabase();
  const pool = createPool({ connectionString: database.connectionString, max: 4, applicationName: 'test' });
  onTestFinished(() => pool.end());
  return {
    database,
    pool,
    target,
    async startServer(env = {}) {
      const server = await startServerProcess({ DATABASE_URL: database.connectionString, ...env });
      onTestFinished(async () => {
        await server.kill();
      });
      onTestFailed(() => void process.stderr.write(`── ${server.instanceId}\n${server.output()}\n`));
      return server;
    },
  };
}
