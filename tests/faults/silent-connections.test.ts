import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { within } from '../support/faults/answers.ts';
import { withLease } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, endSchedules } from '../support/faults/load.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { checkHistory } from '../support/history.ts';
import { startSilentProxy } from '../support/silent-proxy.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const LEASE_MS = 6_000;
const STATEMENT_TIMEOUT_MS = 1_600;
/** The time limit of an answer: the statement's own time, and a quarter of it for the network. */
const NOTICED_MS = 2_000;
const ROUNDS = 4;
const JOBS = 20;
/** Longer than the test takes. */
const LONG_MS = 300_000;

it(
  'continues, and keeps its leases, after all its connections to the database have become silent',
  { timeout: 120_000 },
  async () => {
    const { target, pool } = world;
    const proxy = await startSilentProxy(world.connectionString);
    onTestFinished(proxy.close);
    const server = await world.startServer({
      ...withLease(LEASE_MS),
      DATABASE_URL: proxy.connectionString,
      DATABASE_QUERY_TIMEOUT_MS: `${STATEMENT_TIMEOUT_MS}`,
    });
    // Another instance that would take over its executions. A long execution may occupy its only place. An execution
    // that it
    // has claimed ahead of that place must not wait that long.
    const other = await world.startServer({ ...withLease(LEASE_MS), MAX_CONCURRENCY: '1' });
    target.script('/work', within(1_000));
    const gate = target.gate('/long');
    const api = apiClient(server);
    await createJobs(api, JOBS, () => ({ api: `${target.url}/work`, schedule: '* * * * * *' }));
    await api.triggerMany(await api.createJob({ api: `${target.url}/long`, timeoutMs: LONG_MS }), 10);
    await target.received('/long', 10);
    await target.received('/work', 2 * JOBS);

    for (let round = 0; round < ROUNDS; round += 1) {
      proxy.silence();
      await delay(LEASE_MS);
    }
    gate.open();
    await endSchedules(pool);

    const history = await checkHistory(pool, target.calls);
    const lateness = spread(latenesses(target.calls));
    reportFigures('all connections silent, 4 times', { ...history, lateness });
    // A claim whose answer was lost was never called. Every call was made once.
    expect(target.callsTo('/long')).toHaveLength(10);
    expect(new Set(target.calls.map(({ headers }) => headers['x-execution-id'])).size).toBe(
      target.calls.length,
    );
    expect(history.executions).toBe(history.slots + 10);
    // The answer to a claim can be lost. Then its lease has to end.
    expect(lateness.maxMs).toBeLessThanOrEqual(NOTICED_MS + LEASE_MS + 5_000);
    expect([server, other].flatMap(unhandledErrors)).toEqual([]);
    for (const one of [server, other]) expect(await one.stop()).toEqual({ code: 0, signal: null });
  },
);
