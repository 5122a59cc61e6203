import { quantile, type BenchContext } from '../harness/bench.ts';
import { startChild } from '../harness/child.ts';
import { drainOnce } from '../harness/drain.ts';
import { startProduct } from '../harness/product.ts';
import { seedJobs } from '../harness/seed.ts';
import { deliveriesPerSecond } from '../parts/fan-out.ts';
import { drainFollowed } from '../parts/followed.ts';
import { paceOf } from '../parts/http.ts';
import { holdOnce } from '../parts/many-sockets.ts';
import { runProduct } from '../parts/steady.ts';
import type { ProbeName } from './mechanisms.ts';

/** What a probe measures of the product alone. */
export interface Measured {
  measure: string;
  value: number;
  unit: string;
  better: 'higher' | 'lower';
}

export type Probe = (context: BenchContext) => Promise<Measured[]>;

const BACKLOG = { executions: 20_000, warmUp: 4_000 };
const MANY = { jobs: 500, seconds: 15 };
const FEW = { jobs: 20, seconds: 40 };

/** The product's side of the parts whose figures bind, without the peers they are compared with. */
export const PROBES: Record<ProbeName, Probe> = {
  backlog: (context) =>
    withTarget(async (target, url) => {
      const { perSecond, statements, cpuMs, databaseCpuMs } = await drainOnce(context, target, url, BACKLOG);
      return [
        { measure: 'backlog', value: perSecond, unit: 'executions/s', better: 'higher' },
        { measure: 'statements, backlog', value: statements, unit: 'per execution', better: 'lower' },
        { measure: 'node CPU', value: cpuMs, unit: 'ms per execution', better: 'lower' },
        { measure: 'database CPU', value: databaseCpuMs, unit: 'ms per execution', better: 'lower' },
      ];
    }),
  many: (context) => steady(context, MANY),
  few: (context) => steady(context, FEW),
  async fanOut(context) {
    return [
      {
        measure: 'fan-out',
        value: await deliveriesPerSecond(context),
        unit: 'deliveries/s',
        better: 'higher',
      },
    ];
  },
  async sockets(context) {
    const { lastMs } = await holdOnce(context);
    const value = quantile(lastMs, 0.99);
    return [{ measure: '10,000 sockets, event to last, p99', value, unit: 'ms', better: 'lower' }];
  },
  async followed(context) {
    const { perSecond } = await drainFollowed(context);
    const measure = 'backlog with 1,000 subscribers';
    return [{ measure, value: perSecond, unit: 'executions/s', better: 'higher' }];
  },
  async http({ postgres }) {
    const database = await postgres.createDatabase();
    const load = await startChild('./http-load.ts');
    const product = await startProduct({ DATABASE_URL: database.connectionString });
    try {
      await seedJobs(database.pool, 100, 'http://127.0.0.1:9/');
      await database.pool.query('ANALYZE jobs');
      const { small, list, apart } = await paceOf(load, product.url);
      return [
        { measure: '{ __typename } over HTTP', value: small, unit: 'requests/s', better: 'higher' },
        { measure: 'a list of 20 jobs', value: list, unit: 'requests/s', better: 'higher' },
        { measure: 'the same, each asked apart', value: apart, unit: 'requests/s', better: 'higher' },
      ];
    } finally {
      await load.stop();
      await product.stop();
      await database.drop();
    }
  },
};

async function steady(context: BenchContext, load: { jobs: number; seconds: number }): Promise<Measured[]> {
  return withTarget(async (target, url) => {
    const { p50, p99, statements } = await runProduct(context, target, url, load);
    const pace = `${load.jobs} a second`;
    return [
      { measure: `${pace}, p50`, value: p50, unit: 'ms', better: 'lower' },
      { measure: `${pace}, p99`, value: p99, unit: 'ms', better: 'lower' },
      { measure: `statements, ${pace}`, value: statements, unit: 'per execution', better: 'lower' },
    ];
  });
}

async function withTarget<T>(
  work: (target: Awaited<ReturnType<typeof startChild>>, url: string) => Promise<T>,
): Promise<T> {
  const target = await startChild('./target.ts');
  try {
    return await work(target, await target.ask<string>({ kind: 'listen', delayMs: 0 }));
  } finally {
    await target.stop();
  }
}
