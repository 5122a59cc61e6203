import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { callbackViolations } from '../support/faults/callback-history.ts';
import { makeCallerBack } from '../support/faults/caller-back.ts';
import { heldAtDeath } from '../support/faults/claims.ts';
import { withLease } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { holdEventLog } from '../support/faults/hold-back.ts';
import { createJobs, endSchedules } from '../support/faults/load.ts';
import { sessionsGone, terminateSessionsOf } from '../support/faults/sessions.ts';
import { startVictim, type Victim } from '../support/faults/victim.ts';
import { checkHistory } from '../support/history.ts';
import { count } from '../support/rows.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const JOBS = 10;
const LEASE_MS = 4_000;
const MIN_AWAITED = 3;
const ROUNDS = 2;
const CALLBACK = '%-- settle:%';
const PLAN = '%-- record a plan:%';

/** Executions of an instance whose target has answered, but has not called back yet. */
function awaited({ instanceId }: Victim): Promise<number> {
  const from = `job_executions WHERE claimed_by = $1 AND callback_deadline_at IS NOT NULL`;
  return count(world.pool, from, [instanceId]);
}

function serverOf(servers: readonly Victim[], sessions: string): Victim {
  const found = servers.find((server) => server.sessions === sessions);
  if (!found) throw new Error(`No server has the sessions ${sessions}`);
  return found;
}

/** One way to kill one of the servers. Returns the killed one. */
type Death = (servers: readonly Victim[]) => Promise<Victim>;

/** While targets work on its calls. */
const killWhileAwaited: Death = async (servers) => {
  const hasEnough = async () => {
    for (const server of servers) if ((await awaited(server)) >= MIN_AWAITED) return server;
    return null;
  };
  const victim = await until(hasEnough, { timeoutMs: 30_000 });
  await victim.kill();
  return victim;
};

/** When it is about to record a callback. Nothing of it is written. */
const killBeforeRecord: Death = async (servers) => {
  const log = await holdEventLog(world.pool);
  const victim = serverOf(servers, await log.waits(CALLBACK));
  await victim.kill();
  await terminateSessionsOf(world.pool, victim.sessions);
  await log.release();
  return victim;
};

/** When a callback is recorded, but not answered yet. The session gets the lock and commits on its own. */
const killBeforeAnswer: Death = async (servers) => {
  for (;;) {
    const log = await holdEventLog(world.pool);
    const victim = serverOf(servers, await log.waits(CALLBACK));
    victim.signal('SIGSTOP');
    // In the middle of a transaction it would keep the lock from all others, which is another fault.
    const isPlanning = (await log.waiting(PLAN)).includes(victim.sessions);
    await log.release();
    if (!isPlanning) {
      await until(async () => !(await log.waiting(CALLBACK)).includes(victim.sessions));
      await victim.kill();
      return victim;
    }
    victim.signal('SIGCONT');
    await until(async () => !(await log.waiting(PLAN)).includes(victim.sessions));
  }
};

const DEATHS = [killWhileAwaited, killBeforeRecord, killBeforeAnswer];

it(
  'counts each callback once while instances that await and record callbacks are killed',
  { timeout: 240_000 },
  async () => {
    const { target, pool } = world;
    const start = () => startVictim(world, withLease(LEASE_MS));
    const servers = await Promise.all([start(), start()]);
    const callerBack = makeCallerBack(() => servers);
    target.script('/work', callerBack.reply);
    await createJobs(apiClient(servers[0]), JOBS, () => ({
      api: `${target.url}/work`,
      schedule: '* * * * * *',
      completion: 'CALLBACK',
      completionTimeoutMs: 600_000,
      retryPolicy: {
        maxRetries: 3,
        backoffStrategy: 'FIXED',
        initialDelayMs: 500,
        maxDelayMs: 500,
        jitter: 0,
      },
    }));

    let inFlight = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const kill of DEATHS) {
        const victim = await kill(servers);
        await sessionsGone(pool, victim.sessions);
        inFlight += await heldAtDeath(pool, victim.instanceId);
        servers[servers.indexOf(victim)] = await start();
      }
    }

    await endSchedules(pool);
    await callerBack.idle();
    const history = await checkHistory(pool, target.calls);
    const { deliveries } = callerBack;
    const having = (has: (delivery: (typeof deliveries)[number]) => boolean) => deliveries.filter(has).length;
    const answerLost = having(({ answers }) => answers.includes(409) && !answers.includes(200));
    reportFigures('kill -9 while callbacks are awaited and recorded', {
      kills: DEATHS.length * ROUNDS,
      leaseMs: LEASE_MS,
      ...history,
      inFlight,
      callbacks: deliveries.length,
      failures: having(({ status }) => status === 'failure'),
      cut: having(({ answers }) => answers.includes('cut')),
      answerLost,
      late: having(({ answers }) => answers.includes(410)),
      lateness: spread(latenesses(target.calls)),
    });

    expect(await callbackViolations(pool, deliveries)).toEqual([]);
    expect(history.executions).toBe(history.slots);
    expect(await count(pool, `job_executions WHERE status = 'SUCCESS'`)).toBe(history.executions);
    expect(history.interruptions).toBeLessThanOrEqual(inFlight);
    expect(answerLost).toBeGreaterThanOrEqual(ROUNDS);
    expect(having(({ answers }) => answers.includes('cut'))).toBeGreaterThanOrEqual(2 * ROUNDS);
  },
);
