import { median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import { startChild, type Child } from '../harness/child.ts';
import type { HttpLoadResult } from '../harness/http-load.ts';
import { startProduct } from '../harness/product.ts';
import { seedJobs } from '../harness/seed.ts';

const CONNECTIONS = 32;
const WARM_UP = 3_000;
const FIELDS = '{ nodes { id name status schedule timezone createdAt } }';
const SMALL = { query: '{ __typename }', asksApart: false, requests: 20_000 };
const LIST = { query: `{ jobs(first: 20) ${FIELDS} }`, asksApart: false, requests: 5_000 };
/** The same list where no two requests can share an answer. */
const APART = {
  query: `query ($since: DateTime!) { jobs(first: 20, where: { createdAt: { gte: $since } }) ${FIELDS} }`,
  asksApart: true,
  requests: 5_000,
};

type Pace = { small: number; list: number; apart: number };

/** Requests per second over HTTP, beside Yoga as it comes with the same resolvers and the same database. */
export const http: Part = {
  name: 'http',
  async run(context) {
    const rounds: { ours: Pace; stock: Pace }[] = [];
    for (let round = 1; round <= context.rounds; round += 1) {
      const measured = await measure(context);
      const { ours, stock } = measured;
      context.note(
        `http ${round}: __typename ${Math.round(ours.small)}/s, Yoga ${Math.round(stock.small)}/s; 20 jobs ${Math.round(ours.list)}/s, Yoga ${Math.round(stock.list)}/s; each apart ${Math.round(ours.apart)}/s, Yoga ${Math.round(stock.apart)}/s`,
      );
      rounds.push(measured);
    }
    const of = (value: (round: (typeof rounds)[number]) => number) => median(rounds.map(value));
    const figures: Figure[] = [
      {
        goal: 12,
        measure: '{ __typename } over HTTP, of Yoga',
        value: of(({ ours, stock }) => ours.small / stock.small),
        unit: 'ratio',
        min: 2,
      },
      {
        goal: 12,
        measure: 'a list of 20 jobs, of Yoga',
        value: of(({ ours, stock }) => ours.list / stock.list),
        unit: 'ratio',
      },
      {
        goal: 12,
        measure: 'the same, each asked apart',
        value: of(({ ours, stock }) => ours.apart / stock.apart),
        unit: 'ratio',
        min: 1.5,
      },
    ];
    return figures;
  },
};

async function measure({ postgres }: BenchContext): Promise<{ ours: Pace; stock: Pace }> {
  const database = await postgres.createDatabase();
  const load = await startChild('./http-load.ts');
  const stock = await startChild('./stock-api.ts');
  const product = await startProduct({ DATABASE_URL: database.connectionString });
  try {
    await seedJobs(database.pool, 100, 'http://127.0.0.1:9/');
    await database.pool.query('ANALYZE jobs');
    const stockUrl = await stock.ask<string>({
      kind: 'listen',
      connectionString: database.connectionString,
    });
    const before = await paceOf(load, stockUrl);
    const ours = await paceOf(load, product.url);
    const after = await paceOf(load, stockUrl);
    return {
      ours,
      stock: {
        small: (before.small + after.small) / 2,
        list: (before.list + after.list) / 2,
        apart: (before.apart + after.apart) / 2,
      },
    };
  } finally {
    await load.stop();
    await stock.stop();
    await product.stop();
    await database.drop();
  }
}

/** How fast one server answers. */
export async function paceOf(load: Child, url: string): Promise<Pace> {
  return {
    small: await ask(load, url, SMALL),
    list: await ask(load, url, LIST),
    apart: await ask(load, url, APART),
  };
}

async function ask(
  load: Child,
  url: string,
  { requests, ...query }: { query: string; asksApart: boolean; requests: number },
): Promise<number> {
  const asked = { kind: 'load', url, ...query, connections: CONNECTIONS };
  await load.ask<HttpLoadResult>({ ...asked, requests: WARM_UP });
  return (await load.ask<HttpLoadResult>({ ...asked, requests })).perSecond;
}
