import type { Part } from '../harness/bench.ts';
import { startChild } from '../harness/child.ts';
import { residentMiB } from '../harness/cpu.ts';
import { startProduct } from '../harness/product.ts';
import { drained, seedBacklog, seedJobs } from '../harness/seed.ts';
import { wake } from '../harness/wake.ts';

const EXECUTIONS = 200_000;
const STEP = 10_000;
/** Steps after which everything has its size: code is compiled, pools are full. */
const WARM_UP_STEPS = 6;
const SUBSCRIBERS = 50;
const JOBS = 20;
const QUERY =
  'subscription { executionEvents { ... on ExecutionEvent { cursor kind at status executionId } } }';

/** What many executions leave behind in memory, while some subscribers follow each of them: nothing. */
export const memory: Part = {
  name: 'memory',
  async run({ postgres, note }) {
    const target = await startChild('./target.ts');
    const subscribers = await startChild('./subscribers.ts');
    const database = await postgres.createDatabase();
    const product = await startProduct({ DATABASE_URL: database.connectionString });
    try {
      const api = await target.ask<string>({ kind: 'listen', delayMs: 0 });
      const jobIds = await seedJobs(database.pool, JOBS, api);
      await subscribers.ask({ kind: 'expect', total: Infinity });
      const url = `${product.url.replace(/^http/, 'ws')}/graphql`;
      await subscribers.ask({ kind: 'connect', url, count: SUBSCRIBERS, query: QUERY });
      const resident: number[] = [];
      for (let done = STEP; done <= EXECUTIONS; done += STEP) {
        await target.ask({ kind: 'reset' });
        await seedBacklog(database.pool, jobIds, STEP, new Date());
        await wake(product.url);
        await target.ask({ kind: 'received', count: STEP });
        await drained(database.pool);
        resident.push(residentMiB(product.pid));
        note(`memory after ${done}: ${Math.round(resident.at(-1) ?? NaN)} MiB`);
      }
      return [
        {
          goal: 15,
          measure: 'memory left behind',
          value: slopeOf(resident.slice(WARM_UP_STEPS)),
          unit: 'MiB per 10,000',
          max: 1,
        },
        { goal: 15, measure: 'memory at the end', value: resident.at(-1) ?? NaN, unit: 'MiB' },
      ];
    } finally {
      await subscribers.stop();
      await product.stop();
      await target.stop();
      await database.drop();
    }
  },
};

/** The slope of the straight line through the values that has the least squared distance from them. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const above = values.reduce((sum, value, at) => sum + (at - middle) * (value - mean), 0);
  return above / values.reduce((sum, _value, at) => sum + (at - middle) ** 2, 0);
}
