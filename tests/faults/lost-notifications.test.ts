import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { executionEventPositions, firstCursor, followEvents } from '../support/event-follower.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, endSchedules } from '../support/faults/load.ts';
import { filterNotifications, type FilterMode } from '../support/faults/notify-filter.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { checkHistory } from '../support/history.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const POLL_MS = 3_000;
const LIMIT_MS = POLL_MS + 1_000;
const JOBS = 10;
/** Single runs that are requested at one server, one after the other, in each state. */
const SINGLE_RUNS = 40;
const PHASE_MS = 3 * POLL_MS;

it(
  'is late by at most one poll while no notification arrives, and its feeds lose nothing',
  { timeout: 180_000 },
  async () => {
    const { target, pool } = world;
    const filter = await filterNotifications(world.connectionString);
    const env = {
      ...DEFAULTS,
      POLL_INTERVAL_MS: `${POLL_MS}`,
      DATABASE_DIRECT_URL: filter.connectionString,
    };
    // It plans the requested runs, and has no place for a call. The other one must find them by polling.
    const full = await world.startServer({ ...env, MAX_CONCURRENCY: '1' });
    const api = apiClient(full);
    const gate = target.gate('/held');
    await api.trigger(await api.createJob({ api: `${target.url}/held`, timeoutMs: 600_000 }));
    await target.received('/held');
    const calling = await world.startServer(env);
    const after = await firstCursor(pool);
    const followers = [full, calling].map(({ url }) => followEvents({ url: () => url, after }));
    await createJobs(api, JOBS, () => ({ api: `${target.url}/work`, schedule: '* * * * * *' }));

    /** Requests runs in a state. Returns the lateness of these runs and of all others in that time. */
    const latenessesWhile = async (mode: FilterMode): Promise<number[]> => {
      filter.set(mode);
      const since = Date.now();
      for (let runs = 0; runs < SINGLE_RUNS; runs += 1) {
        await api.createJob({ api: `${target.url}/single`, runAt: new Date().toISOString() });
        await delay(PHASE_MS / SINGLE_RUNS);
      }
      const endedAt = Date.now();
      // Runs that were due at its end have been called by then.
      await delay(LIMIT_MS);
      const ofThatTime = target.calls.filter(({ headers }) => {
        const scheduledAt = Date.parse(headers['x-scheduled-at'] ?? '');
        return scheduledAt >= since && scheduledAt < endedAt;
      });
      return latenesses(ofThatTime);
    };
    const told = await latenessesWhile('open');
    const passed = filter.passed();
    const deaf = await latenessesWhile('deaf');
    const dropped = filter.dropped();
    const cut = await latenessesWhile('cut');
    expect(filter.passed()).toBe(passed);
    filter.set('open');
    await until(() => filter.passed() > passed);

    gate.open();
    await endSchedules(pool);
    const logged = await executionEventPositions(pool);
    const endedAt = Date.now();
    await until(() => followers.every(({ events }) => events.length >= logged.length));
    const catchUpMs = Date.now() - endedAt;
    const history = await checkHistory(pool, target.calls);
    reportFigures('notifications are lost', {
      pollMs: POLL_MS,
      ...history,
      passed,
      dropped,
      refused: filter.refused(),
      told: spread(told),
      deaf: spread(deaf),
      cut: spread(cut),
      catchUpMs,
    });

    expect(passed).toBeGreaterThan(SINGLE_RUNS);
    expect(dropped).toBeGreaterThan(SINGLE_RUNS);
    expect(filter.refused()).toBeGreaterThan(0);
    for (const lateness of [deaf, cut]) {
      expect(lateness.length).toBeGreaterThanOrEqual(SINGLE_RUNS + (JOBS * PHASE_MS) / 1_000 - JOBS);
      expect(spread(lateness).p99Ms).toBeLessThanOrEqual(LIMIT_MS);
    }
    expect(history.executions).toBe(history.slots + 1);
    expect(history.calls).toBe(history.executions);
    for (const follower of followers) {
      expect(follower.positions()).toEqual(logged);
      expect([follower.troubles, follower.connections()]).toEqual([[], 1]);
    }
    expect(catchUpMs).toBeLessThanOrEqual(LIMIT_MS);
    expect([full, calling].flatMap(unhandledErrors)).toEqual([]);
  },
);
