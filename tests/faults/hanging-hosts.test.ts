import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, percentile, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, cutSchedules } from '../support/faults/load.ts';
import { startHosts } from '../support/faults/many-hosts.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { checkHistory } from '../support/history.ts';
import { createGate, type RecordedCall } from '../support/target-server.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const HOSTS = 100;
const HANGING = 80;
/** Longer than the test: no call frees its place before the hosts answer again. */
const TIMEOUT_MS = 300_000;
/** The server's defaults. */
const MAX_CONCURRENCY = 500;
const MAX_CONCURRENCY_PER_HOST = 50;
/** Hosts with more work than places, and the other hosts that hang. */
const CROWDED = { hosts: 6, runs: 70 };
const RUNS_ELSEWHERE = 6;
const JOBS_PER_HEALTHY_HOST = 3;
const ANSWER_MS = 100;
const MEASURED_MS = 30_000;
const LATENESS_LIMIT_MS = 2_000;

/** Counts the unanswered calls at the target. */
function watchOpenCalls() {
  const perHost = new Map<string, number>();
  const most = { inAll: 0, atOneHost: 0 };
  let open = 0;
  return {
    most,
    isExhausted: () => open >= (MAX_CONCURRENCY * 4) / 5,
    /** The reply's delay, with counting. */
    async during({ headers }: RecordedCall, answered: Promise<unknown>): Promise<void> {
      const host = headers['host'] ?? '';
      const own = (perHost.get(host) ?? 0) + 1;
      perHost.set(host, own);
      open += 1;
      most.inAll = Math.max(most.inAll, open);
      most.atOneHost = Math.max(most.atOneHost, own);
      await answered;
      perHost.set(host, (perHost.get(host) ?? 0) - 1);
      open -= 1;
    },
  };
}

it(
  'calls all other hosts on time while 80 of 100 hosts hang and hold all places that they can get',
  { timeout: 300_000 },
  async () => {
    const { pool } = world;
    const { target, urls } = await startHosts(HOSTS);
    const server = await world.startServer(DEFAULTS);
    const api = apiClient(server);
    const calls = watchOpenCalls();
    const answering = createGate();
    target.script('/hang', (call) => ({ after: calls.during(call, answering.opened) }));
    target.script('/work', (call) => ({ after: calls.during(call, delay(ANSWER_MS)) }));

    const healthy = urls.slice(HANGING);
    await createJobs(api, healthy.length * JOBS_PER_HEALTHY_HOST, (index) => ({
      api: `${healthy[index % healthy.length] ?? ''}/work`,
      schedule: '* * * * * *',
    }));
    const hanging = await createJobs(api, HANGING, (index) => ({
      api: `${urls[index] ?? ''}/hang`,
      schedule: '* * * * * *',
      timeoutMs: TIMEOUT_MS,
    }));
    for (const [index, job] of hanging.entries())
      await api.triggerMany(job, index < CROWDED.hosts ? CROWDED.runs : RUNS_ELSEWHERE);
    await until(calls.isExhausted, { timeoutMs: 60_000 });
    const exhaustedAt = Date.now();
    await delay(MEASURED_MS);
    const late = latenesses(target.callsTo('/work').filter(({ at }) => at.getTime() > exhaustedAt));

    answering.open();
    await cutSchedules(pool);
    const history = await checkHistory(pool, target.calls);
    reportFigures('80 % of targets hang', {
      ...history,
      openCalls: calls.most,
      healthyCalls: late.length,
      lateness: { p50Ms: percentile(late, 0.5), ...spread(late) },
    });
    expect(late.length).toBeGreaterThanOrEqual(
      (healthy.length * JOBS_PER_HEALTHY_HOST * (MEASURED_MS - LATENESS_LIMIT_MS)) / 1_000,
    );
    expect(spread(late).p99Ms).toBeLessThanOrEqual(LATENESS_LIMIT_MS);
    expect(calls.most.inAll).toBeLessThanOrEqual(MAX_CONCURRENCY);
    expect(calls.most.atOneHost).toBe(MAX_CONCURRENCY_PER_HOST);
    expect(unhandledErrors(server)).toEqual([]);
  },
);
