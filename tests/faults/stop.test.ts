import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { within } from '../support/faults/answers.ts';
import { heldBy } from '../support/faults/claims.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, endSchedules, everySecond } from '../support/faults/load.ts';
import { checkHistory } from '../support/history.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const LIMIT = { timeout: 180_000 };
const JOBS = 20;
const HANGING = 10;
const EXIT_LIMIT_MS = 30_000;
const LATENESS_LIMIT_MS = 2_000;

async function stopTimed(server: ServerProcess): Promise<number> {
  const since = performance.now();
  expect(await server.stop()).toEqual({ code: 0, signal: null });
  return performance.now() - since;
}

async function loadEachSecond(server: ServerProcess): Promise<void> {
  world.target.script('/work', within(500));
  await createJobs(apiClient(server), JOBS, (index) => ({
    api: `${world.target.url}/work`,
    ...everySecond(index),
  }));
}

it('stops within 30 s under load, also while calls hang, and another instance continues', LIMIT, async () => {
  const { target, pool } = world;
  const leaving = await world.startServer(DEFAULTS);
  const api = apiClient(leaving);
  target.script('/hang', ({ headers }) => (headers['x-attempt'] === '1' ? 'hang' : 200));
  await api.triggerMany(await api.createJob({ api: `${target.url}/hang`, timeoutMs: 120_000 }), HANGING);
  await target.received('/hang', HANGING);
  await world.startServer(DEFAULTS);
  await loadEachSecond(leaving);
  await target.received('/work', 2 * JOBS);

  const exitMs = await stopTimed(leaving);
  await target.received('/hang', 2 * HANGING);
  await endSchedules(pool);
  const history = await checkHistory(pool, target.calls);
  const lateness = spread(latenesses(target.calls));
  reportFigures('SIGTERM under load, with calls that hang', { exitMs, ...history, lateness });

  expect(exitMs).toBeLessThanOrEqual(EXIT_LIMIT_MS);
  expect(history).toMatchObject({
    executions: history.slots + HANGING,
    calls: history.slots + 2 * HANGING,
    interruptions: HANGING,
  });
  expect(history.slots).toBeGreaterThanOrEqual(20 * JOBS);
  expect(lateness.p99Ms).toBeLessThanOrEqual(LATENESS_LIMIT_MS);
});

it(
  'runs each slot once and on time while two instances are replaced one after the other',
  LIMIT,
  async () => {
    const { target, pool } = world;
    const old = await Promise.all([world.startServer(DEFAULTS), world.startServer(DEFAULTS)]);
    await loadEachSecond(old[0]);
    await target.received('/work', 2 * JOBS);

    const exits: number[] = [];
    for (const server of old) {
      await world.startServer(DEFAULTS);
      await until(async () => (await heldBy(pool, server.instanceId)) > 0, { timeoutMs: 30_000 });
      exits.push(await stopTimed(server));
      // The next replacement follows when this one has taken effect, as in any rolling restart.
      await delay(2_000);
    }
    await until(() => target.calls.length >= 15 * JOBS, { timeoutMs: 60_000 });
    await endSchedules(pool);
    const history = await checkHistory(pool, target.calls);
    const lateness = spread(latenesses(target.calls));
    reportFigures('rolling restart of two instances', { exitMs: exits, ...history, lateness });

    expect(Math.max(...exits)).toBeLessThanOrEqual(EXIT_LIMIT_MS);
    const { slots } = history;
    expect(history).toEqual({ executions: slots, slots, calls: slots, interruptions: 0 });
    expect(lateness.p99Ms).toBeLessThanOrEqual(LATENESS_LIMIT_MS);
  },
);
