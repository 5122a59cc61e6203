import type { Pool } from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { createPool } from '../../src/database/pool.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { wrongCounts } from './execution-counts.ts';
import { createInstance, type InstanceOptions, type TestInstance } from './instance.ts';
import { manualClock, type ManualClock } from './manual-clock.ts';
import { startTarget, type TargetServer } from './target-server.ts';

/** What a test file about the engine works with. Everything but the database itself is new for each test. */
export type Scene = {
  readonly connectionString: string;
  /** The test's own look at the database. */
  readonly pool: Pool;
  readonly clock: ManualClock;
  readonly target: TargetServer;
  /** One more instance, on the scene's database unless its way there is given; closed after the test. */
  instance: (options?: Partial<Omit<InstanceOptions, 'clock'>>) => TestInstance;
};

/** Registers the hooks that set the scene for every test of the file and clear it away. */
export function useScene(): Scene {
  let database: TestDatabase;
  let pool: Pool;
  let clock: ManualClock;
  let target: TargetServer;
  let instances: TestInstance[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    pool = createPool({ connectionString: database.connectionString, max: 6, applicationName: 'test' });
  });
  beforeEach(async () => {
    clock = manualClock();
    target = await startTarget();
  });
  afterEach(async () => {
    // Sockets first: a call that the test left hanging would be waited for.
    await target.close();
    await Promise.all(instances.map((instance) => instance.close()));
    instances = [];
    // In whatever state a test has left the tables, what is counted of them is what they hold.
    const wrong = await wrongCounts(pool);
    await emptyTables(pool);
    expect(wrong).toEqual([]);
  });
  afterAll(async () => {
    await pool.end();
    await database.drop();
  });

  return {
    get connectionString() {
      return database.connectionString;
    },
    get pool() {
      return pool;
    },
    get clock() {
      return clock;
    },
    get target() {
      return target;
    },
    instance(options = {}) {
      const instance = createInstance({ connectionString: database.connectionString, ...options, clock });
      instances.push(instance);
      return instance;
    },
  };
}

/** DELETE, which is quicker than TRUNCATE for a handful of rows. */
async function emptyTables(pool: Pool): Promise<void> {
  const tables = [
    'job_executions',
    'job_execution_rollups',
    'job_audit_log',
    'jobs',
    'job_tags',
    'scheduler_metadata',
    'event_log',
  ];
  await pool.query(tables.map((table) => `DELETE FROM ${table}`).join(';'));
  await pool.query('UPDATE event_log_state SET pruned_through = 0');
}
