import { expect, it, onTestFinished } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { DEFAULTS } from '../support/faults/defaults.ts';
import { latenesses, reportFigures, spread } from '../support/faults/figures.ts';
import { createJobs, endSchedules, EVERY_SECOND, EVERY_SECOND_PLANNED } from '../support/faults/load.ts';
import { unhandledErrors } from '../support/faults/server-log.ts';
import { checkHistory } from '../support/history.ts';
import { count } from '../support/rows.ts';
import { startSilentProxy } from '../support/silent-proxy.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');
const STATEMENT_TIMEOUT_MS = 1_600;
const TIMES = 4;
/** Until the answer times out, the lookup of the claims, and the claim of the executions found. */
const LATE_MS = 5_000;

async function nothingIsUnfinished(): Promise<boolean> {
  return (await count(world.pool, `job_executions WHERE status IN ('PENDING', 'RUNNING')`)) === 0;
}

it.each([
  { what: 'a commit of prepared slots', statement: 'tell of prepared slots', jobs: 20, input: EVERY_SECOND },
  { what: 'a claim', statement: 'claim-fresh', jobs: 20, input: EVERY_SECOND_PLANNED },
])(
  'a server finds its claims when the answer to $what is lost, and calls them once',
  { timeout: 120_000 },
  async ({ what, statement, jobs, input }) => {
    const { target, pool } = world;
    const proxy = await startSilentProxy(world.connectionString);
    onTestFinished(proxy.close);
    const server = await world.startServer({
      ...DEFAULTS,
      DATABASE_URL: proxy.connectionString,
      DATABASE_QUERY_TIMEOUT_MS: `${STATEMENT_TIMEOUT_MS}`,
    });
    await createJobs(apiClient(server), jobs, () => ({
      api: `${target.url}/work`,
      type: 'ATMOST_ONCE',
      ...input,
    }));
    await target.received('/work', 2 * jobs);

    for (let time = 0; time < TIMES; time += 1) {
      // Between two slots: the next such statement is the first one of the next slot.
      await until(nothingIsUnfinished);
      await proxy.silenceAfter(statement);
      const reached = target.calls.length;
      await target.received('/work', reached + 3 * jobs);
    }
    await endSchedules(pool);

    const history = await checkHistory(pool, target.calls);
    const lateness = spread(latenesses(target.calls));
    const found = server.logged('A claim whose answer was lost was given back').length;
    reportFigures(`the answer to ${what} is lost, ${TIMES} times`, { ...history, found, lateness });
    const { rows } = await pool.query('SELECT DISTINCT status FROM job_executions');
    expect(rows).toEqual([{ status: 'SUCCESS' }]);
    expect(history.calls).toBe(history.executions);
    expect(found).toBeGreaterThanOrEqual(TIMES);
    expect(lateness.maxMs).toBeLessThanOrEqual(LATE_MS);
    expect(unhandledErrors(server)).toEqual([]);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  },
);
