import { randomBytes } from 'node:crypto';
import type pg from 'pg';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type Caller, type CommandDeps } from '../../src/commands/command-deps.ts';
import { createPool } from '../../src/database/pool.ts';
import { uuidV7 } from '../../src/domain/values/uuid-v7.ts';
import { createTestDatabase } from '../support/database.ts';

/** Commands on their own database, with a clock that the test moves. */
export interface CommandHarness {
  pool: pg.Pool;
  deps: CommandDeps;
  clock: { now: () => Date; set: (iso: string) => void };
  /** How often the commands have woken the rest of the process. */
  wakes: () => number;
  /** Audit entries in order. */
  auditEntries: () => Promise<AuditRow[]>;
  /** Events in order. */
  events: () => Promise<EventRow[]>;
  close: () => Promise<void>;
}

export interface AuditRow {
  action: string;
  actor: string;
  job_id: string;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
  request_id: string;
  address: string | null;
}

export interface EventRow {
  kind: string;
  job_id: string | null;
  execution_id: string | null;
  status: string | null;
  previous_status: string | null;
  trigger: string | null;
  finished_at: Date | null;
  data: Record<string, unknown> | null;
}

export const START = '2025-03-01T12:00:00.000Z';
export const CALLER: Caller = { actor: 'ada', requestId: 'request-1', address: '10.0.0.7' };
/** The only address that the operator has blocked. */
export const BLOCKED_ADDRESS = '169.254.169.254';

/**
 * Registers the hooks that share one harness in a test file. Before each test, they empty its database and set its
 * clock to {@link START}.
 */
export function useCommandHarness(): CommandHarness {
  const harness = {} as CommandHarness;
  beforeAll(async () => {
    Object.assign(harness, await createCommandHarness());
  });
  beforeEach(async () => {
    harness.clock.set(START);
    await clearJobs(harness.pool);
  });
  afterAll(() => harness.close());
  return harness;
}

export async function createCommandHarness(): Promise<CommandHarness> {
  const database = await createTestDatabase();
  const pool = createPool({ connectionString: database.connectionString });
  let now = new Date(START);
  let wakes = 0;
  const clock = {
    now: () => now,
    set: (iso: string) => {
      now = new Date(iso);
    },
  };
  const deps: CommandDeps = {
    pool,
    clock,
    newId: countingIds(),
    randomBytes,
    wake: () => {
      wakes += 1;
    },
    checkTarget: (url) =>
      new URL(url).hostname === BLOCKED_ADDRESS ? { ok: false, address: BLOCKED_ADDRESS } : { ok: true },
    alerts: { isMailConfigured: true, leaseMs: 30_000, send: () => Promise.resolve() },
  };
  return {
    pool,
    deps,
    clock,
    wakes: () => wakes,
    auditEntries: async () =>
      (await pool.query<AuditRow>('SELECT * FROM job_audit_log ORDER BY at, id')).rows,
    events: async () => (await pool.query<EventRow>('SELECT * FROM event_log ORDER BY position')).rows,
    close: async () => {
      await pool.end();
      await database.drop();
    },
  };
}

/** Ids in the order of their creation, also within one millisecond, because the clock stands still. */
function countingIds(): (now: Date) => string {
  let drawn = 0;
  return (now) => {
    drawn += 1;
    const tail = Buffer.alloc(10);
    tail.writeUInt32BE(drawn, 6);
    return uuidV7(now.getTime(), tail);
  };
}

/** Empties the tables that the commands write, between tests of one file. */
export async function clearJobs(pool: pg.Pool): Promise<void> {
  await pool.query(
    'TRUNCATE jobs, job_tags, job_executions, job_audit_log, event_log, job_execution_rollups CASCADE',
  );
}

/** Writes an execution as the engine would leave it. */
export async function insertExecution(
  pool: pg.Pool,
  execution: {
    id: string;
    jobId: string;
    status: string;
    trigger?: string;
    at: string;
    scheduledAt?: string | null;
    started?: boolean;
  },
): Promise<void> {
  const { id, jobId, status, trigger = 'SCHEDULE', at, scheduledAt = at, started = false } = execution;
  const isRunning = status === 'RUNNING';
  await pool.query(
    `INSERT INTO job_executions (id, job_id, status, trigger, scheduled_at, created_at, available_at, started_at,
       attempt_started_at, lease_expires_at, claimed_by, attempt_count)
     VALUES ($1, $2, $3::execution_status, $4::execution_trigger, $5, $6, $6, $7, $7, $8, $9, $10)`,
    [
      id,
      jobId,
      status,
      trigger,
      scheduledAt,
      at,
      started || isRunning ? at : null,
      isRunning ? at : null,
      started || isRunning ? 'instance-1' : null,
      started || isRunning ? 1 : 0,
    ],
  );
}

/** The value of a command that must succeed. */
export function valueOf<T>(result: { ok: true; value: T } | { ok: false; errors: { message: string }[] }): T {
  if (!result.ok)
    throw new Error(`The command failed: ${result.errors.map(({ message }) => message).join(' ')}`);
  return result.value;
}
