import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { insertJobsOfSlot } from '../support/many-slots.ts';
import { withLease } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { cutSchedules } from '../support/faults/load.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { terminateSessionsOf } from '../support/faults/sessions.ts';
import { startVictim, type Victim } from '../support/faults/victim.ts';
import { checkHistory } from '../support/history.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const LEASE_MS = 4_000;
const JOBS = 2_000;
const PERIOD_MS = 10_000;
/** Slots without a holder, or whose holder is frozen for a second and a half, are called soon after. */
const LATE_LIMIT_MS = 5_000;

const nextInstant = () => Math.ceil(Date.now() / PERIOD_MS) * PERIOD_MS;
const startServer = () => startVictim(world, { ...withLease(LEASE_MS), POLL_INTERVAL_MS: '2000' });

/** Resolves with the server that holds the jobs of the next instant. */
async function holderOf(servers: readonly Victim[]): Promise<Victim> {
  const server = await until(
    async () => {
      const { rows } = await world.pool.query<{ name: string }>(
        `SELECT application_name AS name FROM pg_stat_activity
         WHERE datname = current_database() AND state = 'idle in transaction' AND query LIKE '%-- make slots:%'`,
      );
      return servers.find(({ sessions }) => sessions === rows[0]?.name);
    },
    { timeoutMs: 2 * PERIOD_MS },
  );
  return server;
}

/** The fault of the holder, and its repair. */
const FAULTS: Record<string, (held: Victim) => Promise<unknown>> = {
  async killed(held) {
    await held.kill();
  },
  async 'killed as it comes'(held) {
    await delay(nextInstant() + 50 - Date.now());
    await held.kill();
  },
  async frozen(held) {
    held.signal('SIGSTOP');
    await delay(2 * LEASE_MS);
    held.signal('SIGCONT');
  },
  async 'cut off'(held) {
    await terminateSessionsOf(world.pool, held.sessions);
  },
};

it(
  'runs each of many slots of one instant once, whatever happens to the server that has prepared them',
  { timeout: 240_000 },
  async () => {
    const { target, pool } = world;
    let servers: Victim[] = await Promise.all([startServer(), startServer()]);
    const firstAt = new Date(nextInstant() + PERIOD_MS);
    const createdAt = new Date();
    await insertJobsOfSlot(pool, JOBS, firstAt, {
      api: `${target.url}/work`,
      start_at: firstAt,
      created_at: createdAt,
      updated_at: createdAt,
    });
    const figures: Record<string, unknown> = {};
    for (const [name, happen] of Object.entries(FAULTS)) {
      const held = await holderOf(servers);
      const before = target.calls.length;
      await happen(held);
      await until(() => target.calls.length >= before + JOBS, { timeoutMs: 2 * PERIOD_MS });
      figures[name] = spread(latenesses(target.calls.slice(before, before + JOBS)));
      if (name.startsWith('killed'))
        servers = [...servers.filter((one) => one !== held), await startServer()];
    }
    await cutSchedules(pool);

    const history = await checkHistory(pool, target.calls);
    reportFigures('the server that has prepared many slots is killed, frozen, cut off', {
      ...history,
      ...figures,
    });
    expect(history.executions).toBeGreaterThanOrEqual(Object.keys(FAULTS).length * JOBS);
    expect(history.calls - history.interruptions).toBeLessThanOrEqual(history.slots);
    for (const late of Object.values(figures)) {
      expect(late).toMatchObject({ p99Ms: expect.toSatisfy((ms: number) => ms <= LATE_LIMIT_MS) as number });
    }
    expect(servers.flatMap(unhandledErrors)).toEqual([]);
  },
);
