import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { MAX_RESCUES } from '../../src/domain/execution/execution.ts';
import { apiClient } from '../support/api-client.ts';
import { within } from '../support/faults/answers.ts';
import { heldAtDeath, heldBy, interruptions } from '../support/faults/claims.ts';
import { withLease } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, endSchedules, everySecond, executionCount } from '../support/faults/load.ts';
import { sessionsGone } from '../support/faults/sessions.ts';
import { startVictim, type Victim } from '../support/faults/victim.ts';
import { checkHistory } from '../support/history.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const KILLS = 20;
/** Half of the slots are prefetched. This many of one instant are prepared before it. */
const JOBS = 60;
const EXECUTIONS = 1_000;
const LEASE_MS = 4_000;
/** The minimum that a victim must be running: otherwise a kill shows nothing. */
const MIN_IN_FLIGHT = 3;
const KILL_STEP_MS = 20;

it(
  'loses and duplicates nothing when one of two instances is killed, twenty times over 1,000 executions',
  { timeout: 240_000 },
  async () => {
    const { target, pool } = world;
    target.script('/work', within(500));
    const start = () => startVictim(world, withLease(LEASE_MS));
    const servers = await Promise.all([start(), start()]);
    await createJobs(apiClient(servers[0]), JOBS, (index) => ({
      api: `${target.url}/work`,
      ...everySecond(index),
    }));

    const busiest = async (candidates: readonly Victim[]): Promise<Victim | null> => {
      for (const candidate of candidates)
        if ((await heldBy(pool, candidate.instanceId)) >= MIN_IN_FLIGHT) return candidate;
      return null;
    };
    const kills: { instanceId: string; killedAt: number; held: number }[] = [];
    while (kills.length < KILLS) {
      const victim = await until(() => busiest(servers), { timeoutMs: 30_000 });
      const { kill, instanceId, sessions } = victim;
      // A claim has just been made. Each kill comes a little later after it than the one before.
      await delay(KILL_STEP_MS * kills.length);
      await kill();
      const killedAt = Date.now();
      await sessionsGone(pool, sessions);
      kills.push({ instanceId, killedAt, held: await heldAtDeath(pool, instanceId) });
      servers[servers.indexOf(victim)] = await start();
    }

    await until(async () => (await executionCount(pool)) >= EXECUTIONS, { timeoutMs: 120_000 });
    await endSchedules(pool);
    const history = await checkHistory(pool, target.calls);
    const lost = await interruptions(pool);
    const reclaimMs = lost.map(({ instanceId, reclaimedAt }) => {
      const killedAt = kills.find((kill) => kill.instanceId === instanceId)?.killedAt ?? NaN;
      return (reclaimedAt?.getTime() ?? Infinity) - killedAt;
    });
    const inFlight = kills.reduce((sum, { held }) => sum + held, 0);
    const repeats = target.calls.filter(({ headers }) => headers['x-attempt'] !== '1').length;
    reportFigures('kill -9 of one of two instances', {
      kills: KILLS,
      leaseMs: LEASE_MS,
      ...history,
      inFlight,
      repeats,
      reclaim: spread(reclaimMs),
      lateness: spread(latenesses(target.calls)),
    });

    expect(history.executions).toBe(history.slots);
    expect(history.executions).toBeGreaterThanOrEqual(EXECUTIONS);
    // An execution fails only where as many instances died with it as the limit says. Some may: the kills are random.
    const { rows } = await pool.query(
      `SELECT id, status, rescue_count FROM job_executions
       WHERE NOT (status = 'SUCCESS' OR (status = 'FAILED' AND rescue_count = $1))`,
      [MAX_RESCUES],
    );
    expect(rows).toEqual([]);
    // Only killed instances have lost executions: the others extended their leases in time.
    const killed = new Set(kills.map(({ instanceId }) => instanceId));
    expect(lost.filter(({ instanceId }) => !killed.has(instanceId))).toEqual([]);
    for (const { instanceId, held } of kills) {
      expect(lost.filter((claim) => claim.instanceId === instanceId).length).toBeLessThanOrEqual(held);
    }
    expect(lost.length).toBeGreaterThanOrEqual(KILLS);
    expect(repeats).toBeLessThanOrEqual(inFlight);
    expect(Math.max(...reclaimMs)).toBeLessThanOrEqual(LEASE_MS + 5_000);
  },
);
