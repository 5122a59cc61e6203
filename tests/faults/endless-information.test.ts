import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { floodOfInformation, startBadTarget } from '../support/bad-targets.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, percentile, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, cutSchedules, EVERY_SECOND } from '../support/faults/load.ts';
import { startHosts } from '../support/faults/many-hosts.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
/** The server's default of MAX_CONCURRENCY_PER_HOST. */
const CALLS = 50;
const HEALTHY_JOBS = 5;
const TIMEOUT_MS = 10_000;
const MEASURED_MS = 20_000;
const LATENESS_LIMIT_MS = 300;

it(
  'calls other hosts on time while 50 calls get endless informational answers',
  { timeout: 120_000 },
  async () => {
    const { pool } = world;
    const { target, urls } = await startHosts(1);
    const flood = await startBadTarget(floodOfInformation);
    onTestFinished(flood.close);
    const server = await world.startServer(DEFAULTS);
    const api = apiClient(server);
    await createJobs(api, HEALTHY_JOBS, () => ({ api: `${urls[0] ?? ''}/work`, ...EVERY_SECOND }));
    const flooded = await api.createJob({ api: flood.url, timeoutMs: TIMEOUT_MS });
    await until(() => target.callsTo('/work').length >= 2 * HEALTHY_JOBS, { timeoutMs: 30_000 });

    const startedAt = Date.now();
    await api.triggerMany(flooded, CALLS);
    await flood.requested(CALLS);
    // The calls start again after half of the time. Calls that end soon leave the rest of the time to the others.
    await delay(MEASURED_MS / 2);
    await api.triggerMany(flooded, CALLS);
    await delay(MEASURED_MS / 2);
    const late = latenesses(target.callsTo('/work').filter(({ at }) => at.getTime() > startedAt));

    await flood.close();
    await cutSchedules(pool);
    const { rows } = await pool.query<{ reason: string; count: number; slowestMs: number }>(
      `SELECT failure_reason::text AS reason, count(*)::int AS count, max(attempt_duration_ms)::int AS "slowestMs"
       FROM job_executions WHERE trigger = 'MANUAL' GROUP BY 1`,
    );
    reportFigures('endless informational answers', {
      healthyCalls: late.length,
      lateness: { p50Ms: percentile(late, 0.5), ...spread(late) },
      flooded: rows,
      floodedMb: flood.bytesSent() / 1_048_576,
    });
    expect(rows).toMatchObject([{ reason: 'CONNECTION', count: 2 * CALLS }]);
    expect(late.length).toBeGreaterThanOrEqual((HEALTHY_JOBS * (MEASURED_MS - 2_000)) / 1_000);
    expect(spread(late).maxMs).toBeLessThanOrEqual(LATENESS_LIMIT_MS);
    expect(unhandledErrors(server)).toEqual([]);
  },
);
