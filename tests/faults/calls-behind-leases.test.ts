import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { withLease } from '../support/faults/defaults.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { allEnded } from '../acceptance/endings.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { startSilentProxy } from '../support/silent-proxy.ts';
import type { Gate } from '../support/target-server.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const LEASE_MS = 6_000;
/** On a busy machine a connection takes longer. */
const PATIENT = {
  ...withLease(LEASE_MS),
  DATABASE_CONNECT_TIMEOUT_MS: '4000',
  HEARTBEAT_INTERVAL_MS: '1000',
};
/** Simultaneous running calls. Other executions that the server has claimed wait in its queue. */
const PLACES = 2;
const EXECUTIONS = 200;
/** Fast enough that executions are claimed ahead of a place. */
const ANSWER_MS = 40;
/** Longer than the test takes. */
const LONG_MS = 300_000;

/**
 * A server with some running ATMOST_ONCE calls, which the target answers when the gate opens, and with others in its
 * queue.
 */
async function withClaimsInLine(env: Record<string, string>): Promise<{ server: ServerProcess; gate: Gate }> {
  const { target } = world;
  const server = await world.startServer({ ...PATIENT, MAX_CONCURRENCY_PER_HOST: `${PLACES}`, ...env });
  const api = apiClient(server);
  target.script('/work', () => ({ after: delay(ANSWER_MS) }));
  const job = { api: `${target.url}/work`, type: 'ATMOST_ONCE', timeoutMs: LONG_MS };
  await api.triggerMany(await api.createJob(job), EXECUTIONS);
  await target.received('/work', EXECUTIONS / 4);
  const gate = target.gate('/work');
  await until(async () => (await inLine(server)) > 0 && (await isStill()) && (await inLine(server)) > 0);
  return { server, gate };
}

/** Whether no call has arrived for a moment. Then the target holds all running calls. */
async function isStill(): Promise<boolean> {
  const before = world.target.calls.length;
  await delay(2 * ANSWER_MS);
  return world.target.calls.length === before;
}

/** The number of executions that an instance has claimed and not called yet. */
async function inLine({ instanceId }: ServerProcess): Promise<number> {
  const { rows } = await world.pool.query<{ id: string }>(
    `SELECT id FROM job_executions WHERE status = 'RUNNING' AND claimed_by = $1`,
    [instanceId],
  );
  const called = new Set(world.target.callsTo('/work').map(({ headers }) => headers['x-execution-id']));
  return rows.filter(({ id }) => !called.has(encodePublicId('Execution', id))).length;
}

async function failedByRescuer(): Promise<number> {
  const { rowCount } = await world.pool.query(
    `SELECT FROM job_executions WHERE status = 'FAILED' AND failure_reason = 'INSTANCE_LOST'`,
  );
  return rowCount ?? 0;
}

/** Resolves when the server has reported, some time after an instant, that it holds nothing any more. */
async function holdsNothing({ instanceId }: ServerProcess, since: Date): Promise<void> {
  const told = async () => {
    const { rowCount } = await world.pool.query(
      `SELECT FROM scheduler_metadata WHERE instance_id = $1 AND last_heartbeat_at > $2 AND running_executions = 0`,
      [instanceId, since],
    );
    return rowCount === 1;
  };
  await until(told, { timeoutMs: 40_000, what: 'a heartbeat of a server that holds nothing' });
}

function timesCalled(): number[] {
  const counts = new Map<string, number>();
  for (const { headers } of world.target.callsTo('/work')) {
    const id = headers['x-execution-id'] ?? '';
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts.values()];
}

it(
  'makes no call for queued claims when their instance was frozen for twice its lease',
  { timeout: 120_000 },
  async () => {
    const { target, pool } = world;
    const { server: frozen, gate } = await withClaimsInLine({});
    frozen.signal('SIGSTOP');
    const waiting = await inLine(frozen);
    expect(waiting).toBeGreaterThan(0);
    const other = await world.startServer(PATIENT);
    await until(async () => (await failedByRescuer()) >= PLACES + waiting, { timeoutMs: 30_000 });
    gate.open();
    await allEnded(pool);
    await delay(LEASE_MS);

    const before = target.calls.length;
    frozen.signal('SIGCONT');
    await holdsNothing(frozen, new Date());
    expect(target.calls).toHaveLength(before);
    expect(new Set(timesCalled())).toEqual(new Set([1]));
    expect([frozen, other].flatMap(unhandledErrors)).toEqual([]);
  },
);

it(
  'ends its calls with their leases, and makes no others, while only the database is unreachable',
  { timeout: 120_000 },
  async () => {
    const { target, pool } = world;
    const proxy = await startSilentProxy(world.connectionString);
    onTestFinished(proxy.close);
    const { server: cutOff, gate } = await withClaimsInLine({ DATABASE_URL: proxy.connectionString });
    proxy.silenceAll();
    const silentAt = Date.now();
    const waiting = await inLine(cutOff);
    expect(waiting).toBeGreaterThan(0);
    await target.allSocketsClosed();
    expect(Date.now() - silentAt).toBeLessThanOrEqual(LEASE_MS + 1_000);

    const other = await world.startServer(PATIENT);
    await until(async () => (await failedByRescuer()) >= PLACES + waiting, { timeoutMs: 30_000 });
    gate.open();
    await allEnded(pool);
    const before = target.calls.length;
    proxy.restore();
    await holdsNothing(cutOff, new Date());
    expect(target.calls).toHaveLength(before);
    expect(new Set(timesCalled())).toEqual(new Set([1]));
    expect([cutOff, other].flatMap(unhandledErrors)).toEqual([]);
  },
);
