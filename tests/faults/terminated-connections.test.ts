import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { executionEventPositions, firstCursor, followEvents } from '../support/event-follower.ts';
import { within } from '../support/faults/answers.ts';
import { interruptions } from '../support/faults/claims.ts';
import { withLease } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, endSchedules, everySecond } from '../support/faults/load.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { terminateSessions } from '../support/faults/sessions.ts';
import { checkHistory } from '../support/history.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const TOTAL_MS = 60_000;
const EVERY_MS = 2_000;
/** Half of the slots are prefetched. This many of one instant are prepared before it. */
const JOBS = 60;
const LEASE_MS = 5_000;

it(
  'loses nothing while all its connections are terminated every two seconds for a minute',
  { timeout: 180_000 },
  async () => {
    const { target, pool } = world;
    const env = withLease(LEASE_MS);
    const servers = await Promise.all([world.startServer(env), world.startServer(env)]);
    const follower = followEvents({ url: () => servers[0].url, after: await firstCursor(pool) });
    target.script('/work', within(1_000));
    await createJobs(apiClient(servers[0]), JOBS, (index) => ({
      api: `${target.url}/work`,
      ...everySecond(index),
    }));

    let rounds = 0;
    let terminated = 0;
    const since = performance.now();
    while (performance.now() - since < TOTAL_MS) {
      rounds += 1;
      // Not always at the same moment of the second: work starts at its beginning.
      await delay(EVERY_MS - 170);
      terminated += await terminateSessions(pool);
      await delay(170 + ((rounds * 70) % 350) - 175);
    }
    await endSchedules(pool);

    const history = await checkHistory(pool, target.calls);
    reportFigures('all connections terminated every 2 s', {
      rounds,
      terminated,
      ...history,
      lateness: spread(latenesses(target.calls)),
    });
    expect(history.executions).toBe(history.slots);
    expect(history.slots).toBeGreaterThanOrEqual((JOBS * TOTAL_MS) / 1_000);
    // A claim whose answer was lost has no holder. It is rescued when its lease ends.
    const lost = await interruptions(pool);
    expect(lost.filter(({ reclaimedAt }) => reclaimedAt === null)).toEqual([]);
    expect(servers.flatMap(unhandledErrors)).toEqual([]);
    const logged = await executionEventPositions(pool);
    await until(() => follower.events.length >= logged.length, { timeoutMs: 30_000 });
    expect(follower.positions()).toEqual(logged);
    for (const server of servers) expect(await server.stop()).toEqual({ code: 0, signal: null });
  },
);
