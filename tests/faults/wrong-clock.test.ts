import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import { apiClient, type ApiClient } from '../support/api-client.ts';
import { within } from '../support/faults/answers.ts';
import { heldBy } from '../support/faults/claims.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, endSchedules } from '../support/faults/load.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { endedAtClock, makeWrongClock, missingFaketime } from '../support/faults/wrong-clock.ts';
import { checkHistory } from '../support/history.ts';
import { count } from '../support/rows.ts';
import type { ServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const HOUR_MS = 3_600_000;
const JOBS = 15;
const FLAKY_JOBS = 5;
const HELD = 5;
/** The minimum duration of each state. */
const PHASE_MS = 3_000;
const LATENESS_LIMIT_MS = 2_000;
/** Each heartbeat measures the clock again. That must happen also while the wall clock is wrong. */
const ENV = { ...DEFAULTS, HEARTBEAT_INTERVAL_MS: '1000' };

const DELETE_JOB = 'mutation ($id: ID!) { deleteJob(input: { id: $id }) { errors { message } } }';

/** Work that is due within the hour. At a clock an hour ahead it would be overdue. */
async function createLaterWork(api: ApiClient): Promise<{ id: string }[]> {
  const { target } = world;
  const laterMs = HOUR_MS / 2;
  target.script('/retried-later', 503);
  target.script('/called-back-later', 202);
  const slot = await api.createJob({
    api: `${target.url}/later`,
    runAt: new Date(Date.now() + laterMs).toISOString(),
  });
  const retry = await api.createJob({
    api: `${target.url}/retried-later`,
    retryPolicy: { maxRetries: 3, backoffStrategy: 'FIXED', initialDelayMs: laterMs, maxDelayMs: laterMs },
  });
  const callback = await api.createJob({
    api: `${target.url}/called-back-later`,
    completion: 'CALLBACK',
    completionTimeoutMs: laterMs,
  });
  for (const job of [retry, callback]) await api.trigger(job);
  await Promise.all(['/retried-later', '/called-back-later'].map((path) => target.received(path)));
  return [slot, retry, callback];
}

/** Work of each second. A quarter of it fails at first, and is retried after a second. */
async function createWorkOfEachSecond(api: ApiClient): Promise<void> {
  const { target } = world;
  target.script('/work', within(500));
  target.script('/flaky', ({ headers }) => (headers['x-attempt'] === '1' ? 503 : 200));
  await createJobs(api, JOBS, () => ({ api: `${target.url}/work`, schedule: '* * * * * *' }));
  await createJobs(api, FLAKY_JOBS, () => ({
    api: `${target.url}/flaky`,
    schedule: '* * * * * *',
    retryPolicy: {
      maxRetries: 1,
      backoffStrategy: 'FIXED',
      initialDelayMs: 1_000,
      maxDelayMs: 1_000,
      jitter: 0,
    },
  }));
}

/** Waits for a while. A server works meanwhile and logs with a clock that is wrong by this much. */
async function worksAtClock(server: ServerProcess, shiftMs: number): Promise<void> {
  const before = endedAtClock(server, shiftMs);
  await delay(PHASE_MS);
  await until(() => endedAtClock(server, shiftMs) >= before + JOBS, { timeoutMs: 30_000 });
}

/** The longest recorded phase of a call. */
async function longestTimingMs(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ ms: number }>(
    `SELECT max(value::float8) AS ms FROM all_execution_attempts, jsonb_each_text(timings) WHERE value IS NOT NULL`,
  );
  return rows[0]?.ms ?? NaN;
}

const missing = missingFaketime();
describe.skipIf(missing !== null)(
  `with a wrong clock${missing === null ? '' : ` (skipped: ${missing})`}`,
  () => {
    it.each([
      ['an hour ahead', HOUR_MS],
      ['an hour behind', -HOUR_MS],
    ])(
      'fires nothing early, late or twice while the clock of one of two instances is %s',
      { timeout: 180_000 },
      async (wrong, shiftMs) => {
        const { target, pool } = world;
        const right = await world.startServer(ENV);
        const clock = await makeWrongClock();
        const jumping = await world.startServer({ ...ENV, ...clock.env });
        const api = apiClient(right);
        const gate = target.gate('/held');
        await api.triggerMany(await api.createJob({ api: `${target.url}/held` }), HELD);
        const later = await createLaterWork(api);
        await createWorkOfEachSecond(api);
        await worksAtClock(jumping, 0);

        // Its clock jumps while it holds claims. Another instance has the right time.
        await until(async () => (await heldBy(pool, jumping.instanceId)) > 0);
        await clock.set(shiftMs);
        const jumpedAt = Date.now();
        await worksAtClock(jumping, shiftMs);
        gate.open();
        await target.received('/held', HELD);

        // It is alone: no other instance handles work that it considers not yet due.
        expect(await right.stop()).toEqual({ code: 0, signal: null });
        await worksAtClock(jumping, shiftMs);

        // Its clock was wrong from the start, also alone. Then the clock jumps to the right time.
        const otherClock = await makeWrongClock(shiftMs);
        const starting = await world.startServer({ ...ENV, ...otherClock.env });
        await worksAtClock(starting, shiftMs);
        expect(await jumping.stop()).toEqual({ code: 0, signal: null });
        await createJobs(apiClient(starting), 1, () => ({
          api: `${target.url}/work`,
          schedule: '* * * * * *',
        }));
        await worksAtClock(starting, shiftMs);
        await otherClock.set(0);
        await worksAtClock(starting, 0);

        const notDue = ['/later', '/retried-later', '/called-back-later'].map(
          (path) => target.callsTo(path).length,
        );
        expect(notDue).toEqual([0, 1, 1]);
        for (const { id } of later) await apiClient(starting).query(DELETE_JOB, { id });
        await endSchedules(pool);
        const history = await checkHistory(pool, target.calls);
        const early = latenesses(target.calls).filter((ms) => ms < 0);
        const lateness = spread(latenesses(target.calls.filter(({ at }) => at.getTime() >= jumpedAt)));
        const endedAtWrongClock = [jumping, starting].map((server) => endedAtClock(server, shiftMs));
        reportFigures(`the clock of one of two instances ${wrong}`, {
          endedAtWrongClock,
          ...history,
          early: early.length,
          leastLatenessMs: Math.min(...latenesses(target.calls)),
          lateness,
        });

        expect(early).toEqual([]);
        expect(lateness.p99Ms).toBeLessThanOrEqual(LATENESS_LIMIT_MS);
        expect(history.interruptions).toBe(0);
        expect(history.executions).toBe(history.slots + HELD + 2);
        expect(await count(pool, `job_executions WHERE status NOT IN ('SUCCESS', 'CANCELLED')`)).toBe(0);
        expect(await count(pool, 'scheduler_metadata WHERE lost_at IS NOT NULL')).toBe(0);
        expect(await longestTimingMs(pool)).toBeLessThan(60_000);
        const servers = [right, jumping, starting];
        expect(servers.flatMap(({ logged }) => logged('Instances have fallen silent'))).toEqual([]);
        expect(servers.flatMap(unhandledErrors)).toEqual([]);
      },
    );
  },
);
