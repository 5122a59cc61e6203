import { request } from '../harness/api.ts';
import { median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import type { CallerResult } from '../harness/caller.ts';
import { startChild, type Child } from '../harness/child.ts';
import { runWarm } from '../harness/drain.ts';
import { startProduct } from '../harness/product.ts';
import { drained, seedJobs } from '../harness/seed.ts';
import type { Arrival } from '../harness/target.ts';

const JOBS = 20_000;
const WARM_UP = 4_000;
const IN_FLIGHT = 50;
const TRIGGER =
  'mutation ($name: String!, $limit: Int!) { triggerJobs(input: { where: { name: { startsWith: $name } }, limit: $limit }) { changedCount errors { message } } }';

/** Twenty thousand jobs that one mutation triggers: from the mutation to the last recorded, of what got alone needs for them. */
export const triggered: Part = {
  name: 'triggered',
  async run(context) {
    const target = await startChild('./target.ts');
    const caller = await startChild('./caller.ts');
    try {
      const url = await target.ask<string>({ kind: 'listen', delayMs: 0 });
      const alone = (calls: number) =>
        caller.ask<CallerResult>({ kind: 'call', url, calls, inFlight: IN_FLIGHT });
      await alone(WARM_UP);
      const ratios: number[] = [];
      const firsts: number[] = [];
      for (let round = 1; round <= context.rounds; round += 1) {
        const before = await alone(JOBS);
        const { seconds, firstCallMs } = await triggerOnce(context, target, url);
        const after = await alone(JOBS);
        context.note(
          `triggered ${round}: ${seconds.toFixed(2)} s, first call after ${firstCallMs} ms; got alone ${before.seconds.toFixed(2)} and ${after.seconds.toFixed(2)} s`,
        );
        ratios.push((before.seconds + after.seconds) / 2 / seconds);
        firsts.push(firstCallMs);
      }
      const figures: Figure[] = [
        {
          goal: null,
          measure: '20,000 triggered, of got alone',
          value: median(ratios),
          unit: 'ratio',
          min: 0.8,
        },
        { goal: null, measure: 'first call after the mutation', value: median(firsts), unit: 'ms', max: 150 },
      ];
      return figures;
    } finally {
      await target.stop();
      await caller.stop();
    }
  },
};

async function triggerOnce(
  { postgres, note }: BenchContext,
  target: Child,
  url: string,
): Promise<{ seconds: number; firstCallMs: number }> {
  const database = await postgres.createDatabase();
  const product = await startProduct({ DATABASE_URL: database.connectionString });
  try {
    await runWarm(database, product, url);
    // The first mutation of a process loads Prisma's compiler, which takes as long as a thousand executions.
    await request(product.url, TRIGGER, { name: 'Job', limit: JOBS });
    await drained(database.pool);
    await seedJobs(database.pool, JOBS, url);
    await database.pool.query(
      `UPDATE jobs SET name = 'Triggered' WHERE id NOT IN (SELECT job_id FROM job_executions)`,
    );
    await database.pool.query('VACUUM ANALYZE jobs');
    await target.ask({ kind: 'reset' });
    await database.mark();
    const startedMs = Date.now();
    const answer = await request<{ triggerJobs: unknown }>(product.url, TRIGGER, {
      name: 'Triggered',
      limit: JOBS,
    });
    const answeredMs = Date.now() - startedMs;
    await target.ask({ kind: 'received', count: JOBS });
    await drained(database.pool);
    const seconds = (Date.now() - startedMs) / 1_000;
    note(`${JSON.stringify(answer)} after ${answeredMs} ms`);
    for (const line of await database.profile()) note(line);
    const arrivals = await target.ask<Arrival[]>({ kind: 'calls' });
    return { seconds, firstCallMs: (arrivals[0]?.atMs ?? NaN) - startedMs };
  } finally {
    await product.stop();
    await database.drop();
  }
}
