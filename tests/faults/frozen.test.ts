import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { heldBy, interruptions } from '../support/faults/claims.ts';
import { withLease } from '../support/faults/defaults.ts';
import { holdEventLog } from '../support/faults/hold-back.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, endSchedules, EVERY_SECOND_PLANNED } from '../support/faults/load.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { namedSessions } from '../support/faults/sessions.ts';
import { checkHistory } from '../support/history.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const LEASE_MS = 4_000;
const IN_FLIGHT = 20;
/** This many of one instant are prepared before it. */
const JOBS = 30;
/** PostgreSQL ends an idle transaction after ten seconds. The rest is for the transactions that waited. */
const STALL_LIMIT_MS = 12_000;

/** A prepared transaction stays idle for a second at most. Then the other instances see the slots. */
const PREPARED_LIMIT_MS = 2_000;

type NamedServer = ServerProcess & { name: string };

/** Two running servers with jobs of every second. Their database sessions have their names. */
async function startWorking(input: Record<string, unknown>): Promise<NamedServer[]> {
  const start = async (name: string): Promise<NamedServer> => {
    const DATABASE_URL = namedSessions(world.connectionString, name);
    return { name, ...(await world.startServer({ ...withLease(LEASE_MS), DATABASE_URL })) };
  };
  const [one, other] = await Promise.all([start('one'), start('other')]);
  await createJobs(apiClient(one), JOBS, () => ({ api: `${world.target.url}/work`, ...input }));
  await world.target.received('/work', 2 * JOBS);
  return [one, other];
}

/**
 * Freezes a server that has prepared slots, before it has committed them. Returns that server. A transaction without a
 * transaction id has written nothing: the other server has locked all the jobs.
 */
async function freezePrepared(servers: readonly NamedServer[]): Promise<NamedServer> {
  const holders = async (): Promise<NamedServer[]> => {
    const { rows } = await world.pool.query<{ name: string }>(
      `SELECT application_name AS name FROM pg_stat_activity
       WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE '%-- make slots:%'
         AND backend_xid IS NOT NULL`,
    );
    return servers.filter((server) => rows.some(({ name }) => name === server.name));
  };
  for (;;) {
    const server = await until(async () => (await holders())[0]);
    server.signal('SIGSTOP');
    // The database has executed everything that it sent before.
    await delay(50);
    if ((await holders()).includes(server)) return server;
    server.signal('SIGCONT');
  }
}

/** All facts about ended executions, in the tables and in the log. */
async function recordOf(pool: Pool, jobId: string): Promise<unknown> {
  const { rows } = await pool.query(
    `SELECT to_jsonb(e) AS execution,
       (SELECT jsonb_agg(to_jsonb(a) ORDER BY number) FROM all_execution_attempts AS a WHERE execution_id = e.id),
       (SELECT jsonb_agg(to_jsonb(l) ORDER BY position) FROM all_execution_logs AS l WHERE execution_id = e.id),
       (SELECT jsonb_agg(to_jsonb(o) ORDER BY position) FROM event_log AS o WHERE execution_id = e.id)
     FROM job_executions AS e WHERE job_id = $1 ORDER BY id`,
    [jobId],
  );
  return rows;
}

it(
  'an instance that was frozen for twice its lease changes nothing with its late writes',
  { timeout: 120_000 },
  async () => {
    const { target, pool } = world;
    const frozen = await world.startServer(withLease(LEASE_MS));
    const api = apiClient(frozen);
    const gate = target.gate('/held');
    const held = await api.createJob({ api: `${target.url}/held` });
    const ids = await api.triggerMany(held, IN_FLIGHT);
    await target.received('/held', IN_FLIGHT);
    // It checks its lease as often as by default, so its rescuer does not check as well.
    const other = await world.startServer({
      ...withLease(LEASE_MS),
      POLL_INTERVAL_MS: `${Math.floor(LEASE_MS / 3)}`,
    });
    await createJobs(api, JOBS, () => ({ api: `${target.url}/work`, schedule: '* * * * * *' }));
    await target.received('/work', 2 * JOBS);

    frozen.signal('SIGSTOP');
    const frozenAt = Date.now();
    // The target answers its calls. The instance would record the answers as soon as it can.
    gate.open();
    await delay(2 * LEASE_MS);
    const jobId =
      (await pool.query<{ id: string }>(`SELECT id FROM jobs WHERE schedule IS NULL`)).rows[0]?.id ?? '';
    const ended = `SELECT FROM job_executions WHERE job_id = $1 AND status = 'SUCCESS'`;
    await until(async () => (await pool.query(ended, [jobId])).rowCount === IN_FLIGHT);
    const before = await recordOf(pool, jobId);

    frozen.signal('SIGCONT');
    const continuedAt = Date.now();
    // It has processed every one of them, and works again.
    await until(() => {
      const lost = frozen.logged('Attempt ended').filter(({ status }) => status === 'claim lost');
      return ids.every((id) => lost.some(({ executionId }) => executionId === id));
    });
    await until(async () => (await heldBy(pool, frozen.instanceId)) > 0, { timeoutMs: 30_000 });
    expect(await recordOf(pool, jobId)).toEqual(before);

    await endSchedules(pool);
    const history = await checkHistory(pool, target.calls);
    const lost = await interruptions(pool);
    const reclaimMs = lost.map(({ reclaimedAt }) => (reclaimedAt?.getTime() ?? Infinity) - frozenAt);
    const meanwhile = target.calls.filter(({ at }) => at.getTime() > frozenAt && at.getTime() < continuedAt);
    reportFigures('an instance frozen for twice the lease', {
      leaseMs: LEASE_MS,
      ...history,
      reclaim: spread(reclaimMs),
      latenessMeanwhile: spread(latenesses(meanwhile)),
    });
    expect(target.callsTo('/held')).toHaveLength(2 * IN_FLIGHT);
    expect(new Set(lost.map(({ instanceId }) => instanceId))).toEqual(new Set([frozen.instanceId]));
    expect(Math.max(...reclaimMs)).toBeLessThanOrEqual(LEASE_MS + 5_000);
    expect([frozen, other].flatMap(unhandledErrors)).toEqual([]);
  },
);

it(
  'other instances continue soon after an instance was frozen in the middle of a transaction',
  { timeout: 120_000 },
  async () => {
    const { target, pool } = world;
    const servers = await startWorking(EVERY_SECOND_PLANNED);

    const log = await holdEventLog(pool);
    const planning = await log.waits('%-- record a plan:%');
    const frozen = servers.find(({ name }) => name === planning);
    frozen?.signal('SIGSTOP');
    const frozenAt = Date.now();
    // Its session gets the lock that every writer needs, and waits for a COMMIT that does not arrive.
    await log.release();
    const next = await until(
      async () => {
        const { rows } = await pool.query<{ at: Date }>(
          `SELECT min(at) AS at FROM event_log WHERE kind = 'EXECUTION_STARTED' AND at > $1`,
          [new Date(frozenAt + LEASE_MS)],
        );
        return rows[0]?.at;
      },
      { timeoutMs: 60_000 },
    );
    const stalledMs = next.getTime() - frozenAt;

    frozen?.signal('SIGCONT');
    await endSchedules(pool);
    const history = await checkHistory(pool, target.calls);
    reportFigures('an instance frozen in the middle of a transaction', { ...history, stalledMs });
    expect(stalledMs).toBeLessThanOrEqual(STALL_LIMIT_MS);
    expect(servers.flatMap(unhandledErrors)).toEqual([]);
  },
);

it('other instances run the slots that a frozen instance had prepared', { timeout: 120_000 }, async () => {
  const { target, pool } = world;
  const servers = await startWorking({ schedule: '* * * * * *' });

  const frozen = await freezePrepared(servers);
  const frozenAt = Date.now();
  await delay(2 * LEASE_MS);
  const meanwhile = target.calls.filter(({ at }) => at.getTime() > frozenAt);
  frozen.signal('SIGCONT');
  await endSchedules(pool);
  const history = await checkHistory(pool, target.calls);
  const late = latenesses(meanwhile);
  reportFigures('an instance frozen with prepared slots', { ...history, latenessMeanwhile: spread(late) });
  expect(history.executions).toBe(history.slots);
  expect(history.calls).toBe(history.slots);
  // The slots were held, but only for a short time.
  expect(Math.max(...late)).toBeGreaterThan(500);
  expect(Math.max(...late)).toBeLessThanOrEqual(PREPARED_LIMIT_MS);
  expect(servers.flatMap(unhandledErrors)).toEqual([]);
});
