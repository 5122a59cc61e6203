import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { within } from '../support/faults/answers.ts';
import type { StopMode } from '../support/faults/database.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { makeFragileWorld } from '../support/faults/fragile-world.ts';
import { createJobs, endSchedules, everySecond } from '../support/faults/load.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { checkHistory } from '../support/history.ts';
import { until } from '../support/until.ts';

const TOTAL_MS = 180_000;
const JOBS = 10;
const FIRST_CLAIM_LIMIT_MS = 5_000;

/** From five to ten seconds, never the same twice in a row. */
function pauseMs(round: number): number {
  return 5_000 + ((round * 1_700) % 5_000);
}

type Round = { mode: StopMode; acceptedAt: number; firstCallMs: number };

it(
  'continues within 5 s after each restart of a PostgreSQL that stops and starts for three minutes',
  { timeout: TOTAL_MS + 180_000 },
  async () => {
    const { database, pool, target, startServer } = await makeFragileWorld();
    const servers = await Promise.all([startServer(DEFAULTS), startServer(DEFAULTS)]);
    const exits: unknown[] = [];
    for (const { exited } of servers) void exited.then((exit) => exits.push(exit));
    target.script('/work', within(1_000));
    await createJobs(apiClient(servers[0]), JOBS, (index) => ({
      api: `${target.url}/work`,
      ...everySecond(index),
    }));

    const rounds: Round[] = [];
    const since = performance.now();
    while (performance.now() - since < TOTAL_MS) {
      const mode = rounds.length % 2 === 0 ? 'fast' : 'immediate';
      await delay(pauseMs(rounds.length));
      await database.stop(mode);
      const back = delay(pauseMs(rounds.length + 2));
      for (const { url } of servers) {
        const isUnready = async () => (await fetch(`${url}/health/ready`)).status === 503;
        await until(isUnready, { what: `503 of ${url}` });
      }
      await back;
      await database.start();
      const acceptedAt = Date.now();
      const first = await until(() => target.calls.find(({ at }) => at.getTime() >= acceptedAt), {
        timeoutMs: 30_000,
      });
      rounds.push({ mode, acceptedAt, firstCallMs: first.at.getTime() - acceptedAt });
    }
    expect(exits).toEqual([]);

    await endSchedules(pool);
    const history = await checkHistory(pool, target.calls);
    reportFigures('PostgreSQL stopped and started', {
      rounds: rounds.length,
      firstCall: spread(rounds.map(({ firstCallMs }) => firstCallMs)),
      ...history,
      lateness: spread(latenesses(target.calls)),
    });
    expect(Math.max(...rounds.map(({ firstCallMs }) => firstCallMs))).toBeLessThanOrEqual(
      FIRST_CLAIM_LIMIT_MS,
    );
    expect(history.executions).toBe(history.slots);
    expect(history.slots).toBeGreaterThanOrEqual((JOBS * TOTAL_MS) / 1_000);
    expect(servers.flatMap(unhandledErrors)).toEqual([]);
    for (const server of servers) expect(await server.stop()).toEqual({ code: 0, signal: null });
  },
);
