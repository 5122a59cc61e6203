import { request } from '../harness/api.ts';
import { median, quantile, type Figure, type Part } from '../harness/bench.ts';
import { startProduct } from '../harness/product.ts';
import { seedSchedules } from '../harness/seed.ts';

const JOBS = 100_000;
const WARM_UP = 100;
const WRITES = 300;
const NEXT_YEAR = new Date(Date.UTC(new Date().getUTCFullYear() + 1, 5, 1));
const CREATE =
  'mutation ($input: CreateJobInput!) { createJob(input: $input) { job { id } errors { message } } }';
const TRIGGER =
  'mutation ($id: ID!) { triggerJob(input: { id: $id }) { execution { id } errors { message } } }';

/** What a user waits for who creates and triggers jobs, one after the other, beside a hundred thousand others. */
export const writes: Part = {
  name: 'writes',
  async run({ postgres, rounds, note }) {
    const database = await postgres.createDatabase();
    await seedSchedules(database.pool, JOBS, 'http://127.0.0.1:9/', '0 0 0 1 6 *', NEXT_YEAR);
    const product = await startProduct({ DATABASE_URL: database.connectionString });
    try {
      const creates: number[] = [];
      const triggers: number[] = [];
      for (let round = 0; round <= rounds; round += 1) {
        const ids: string[] = [];
        const created: number[] = [];
        for (let n = 0; n < (round === 0 ? WARM_UP : WRITES); n += 1) {
          created.push(
            await timed(async () => {
              const input = { name: `Job ${round} ${n}`, api: 'http://127.0.0.1:9/', schedule: '0 0 1 1 *' };
              const answer = await request<{ createJob: { job: { id: string } } }>(product.url, CREATE, {
                input,
              });
              ids.push(answer.createJob.job.id);
            }),
          );
        }
        const triggered: number[] = [];
        for (const id of ids) triggered.push(await timed(() => request(product.url, TRIGGER, { id })));
        if (round === 0) continue;
        creates.push(quantile(created, 0.5));
        triggers.push(quantile(triggered, 0.5));
        note(
          `writes ${round}: createJob ${creates.at(-1)?.toFixed(2)} ms, triggerJob ${triggers.at(-1)?.toFixed(2)} ms`,
        );
      }
      const figures: Figure[] = [
        { goal: 9, measure: 'createJob, p50', value: median(creates), unit: 'ms', max: 4 },
        { goal: 9, measure: 'triggerJob, p50', value: median(triggers), unit: 'ms', max: 4 },
      ];
      return figures;
    } finally {
      await product.stop();
      await database.drop();
    }
  },
};

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}
