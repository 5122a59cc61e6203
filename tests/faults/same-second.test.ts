import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { expect, it } from 'vitest';
import { schedulesOver } from '../acceptance/endings.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, percentile, reportFigures, spread } from '../support/faults/figures.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { checkHistory } from '../support/history.ts';
import { count, insertJob } from '../support/rows.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const INSTANCES = 3;
const JOBS = 500;
const SECONDS = 60;
const EXECUTIONS = JOBS * SECONDS;
/** Later than the next poll of every server: no server is notified about these jobs. */
const LEAD_MS = 15_000;

/** Creates jobs that are all due at the same seconds. Returns the last of these seconds. */
async function insertJobs(pool: Pool, api: string): Promise<Date> {
  const now = new Date();
  const startAt = new Date(Math.ceil((now.getTime() + LEAD_MS) / 1_000) * 1_000);
  const endAt = new Date(startAt.getTime() + (SECONDS - 1) * 1_000);
  const job = {
    api,
    schedule: '* * * * * *',
    start_at: startAt,
    end_at: endAt,
    next_run_at: startAt,
    created_at: now,
    updated_at: now,
  };
  await Promise.all(Array.from({ length: JOBS }, () => insertJob(pool, job)));
  return endAt;
}

/** The number of executions that each instance has run. */
async function shares(pool: Pool): Promise<number[]> {
  const { rows } = await pool.query<{ executions: number }>(
    'SELECT count(*)::int AS executions FROM job_executions GROUP BY claimed_by ORDER BY 1 DESC',
  );
  return rows.map(({ executions }) => executions);
}

it(
  'runs 500 jobs that are due in the same second exactly once, sixty times, on three instances',
  { timeout: 360_000 },
  async () => {
    const { target, pool } = world;
    const servers = await Promise.all(Array.from({ length: INSTANCES }, () => world.startServer(DEFAULTS)));
    const endAt = await insertJobs(pool, `${target.url}/work`);
    await delay(endAt.getTime() - Date.now());
    await until(() => target.calls.length >= EXECUTIONS, { timeoutMs: 180_000 });
    await schedulesOver(pool);

    const history = await checkHistory(pool, target.calls);
    const latenessMs = latenesses(target.calls);
    reportFigures('3 instances, 500 jobs due in the same second, 60 times', {
      ...history,
      shares: await shares(pool),
      lateness: { p50Ms: percentile(latenessMs, 0.5), ...spread(latenessMs) },
    });
    expect(history).toEqual({
      executions: EXECUTIONS,
      slots: EXECUTIONS,
      calls: EXECUTIONS,
      interruptions: 0,
    });
    expect(await count(pool, `job_executions WHERE status = 'SUCCESS'`)).toBe(EXECUTIONS);
    expect(await shares(pool)).toHaveLength(INSTANCES);
    expect(servers.flatMap(unhandledErrors)).toEqual([]);
  },
);
