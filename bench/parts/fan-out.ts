import { median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import { startChild, type Child } from '../harness/child.ts';
import { startProduct } from '../harness/product.ts';
import { seedBacklog, seedJobs } from '../harness/seed.ts';
import type { Received } from '../harness/subscribers.ts';
import { wake } from '../harness/wake.ts';

const SUBSCRIBERS = 1_000;
/** Each tells of its start and of its end. */
const EXECUTIONS = 150;
const EVENTS = 2 * EXECUTIONS;
export const QUERY =
  'subscription { executionEvents { ... on ExecutionEvent { cursor kind at status previousStatus attempt } } }';
const STOCK_QUERY = 'subscription { executionEvents { cursor kind at status previousStatus attempt } }';

/** Deliveries per second of every event to a thousand websockets, beside a server that sends a ready string to each. */
export const fanOut: Part = {
  name: 'fan-out',
  async run(context) {
    const rounds: { ours: number; stock: number; ready: number }[] = [];
    for (let round = 1; round <= context.rounds; round += 1) {
      const before = await ceiling();
      const ours = await deliveriesPerSecond(context);
      const stock = await stockFeed();
      const after = await ceiling();
      const ready = (before + after) / 2;
      context.note(
        `fan-out ${round}: ${Math.round(ours)}/s; ready string ${Math.round(before)} and ${Math.round(after)}/s; stock ${Math.round(stock)}/s`,
      );
      rounds.push({ ours, stock, ready });
    }
    const of = (value: (round: (typeof rounds)[number]) => number) => median(rounds.map(value));
    const figures: Figure[] = [
      {
        goal: 10,
        measure: 'fan-out, of ws.send of a ready string',
        value: of(({ ours, ready }) => ours / ready),
        unit: 'ratio',
        min: 0.8,
      },
      {
        goal: 10,
        measure: 'fan-out, of Yoga and graphql-ws',
        value: of(({ ours, stock }) => ours / stock),
        unit: 'ratio',
        min: 3.5,
      },
    ];
    return figures;
  },
};

/** Deliveries per second of the product. */
export async function deliveriesPerSecond({ postgres }: BenchContext): Promise<number> {
  const target = await startChild('./target.ts');
  const subscribers = await startChild('./subscribers.ts');
  const database = await postgres.createDatabase();
  const scheduler = await startProduct({ DATABASE_URL: database.connectionString });
  try {
    const api = await target.ask<string>({ kind: 'listen', delayMs: 0 });
    const jobIds = await seedJobs(database.pool, 10, api);
    const round = async () => {
      await subscribers.ask({ kind: 'expect', total: EVENTS * SUBSCRIBERS });
      await seedBacklog(database.pool, jobIds, EXECUTIONS, new Date());
      await wake(scheduler.url);
      return perSecond(await subscribers.ask<Received>({ kind: 'received' }));
    };
    const url = `${scheduler.url.replace(/^http/, 'ws')}/graphql`;
    await subscribers.ask({ kind: 'connect', url, count: SUBSCRIBERS, query: QUERY });
    await round();
    return await round();
  } finally {
    await subscribers.stop();
    await scheduler.stop();
    await target.stop();
    await database.drop();
  }
}

async function stockFeed(): Promise<number> {
  return overServer('./stock-feed.ts', STOCK_QUERY, { kind: 'publish', events: EVENTS });
}

async function ceiling(): Promise<number> {
  return overServer('./ready-string.ts', '{ __typename }', { kind: 'send', messages: EVENTS });
}

async function overServer(module: string, query: string, send: object): Promise<number> {
  const server = await startChild(module);
  const subscribers = await startChild('./subscribers.ts');
  try {
    const url = await server.ask<string>({ kind: 'listen' });
    await subscribers.ask({ kind: 'connect', url, count: SUBSCRIBERS, query });
    const round = async (child: Child) => {
      await subscribers.ask({ kind: 'expect', total: EVENTS * SUBSCRIBERS });
      await child.ask(send);
      return perSecond(await subscribers.ask<Received>({ kind: 'received' }));
    };
    await round(server);
    return await round(server);
  } finally {
    await subscribers.stop();
    await server.stop();
  }
}

function perSecond({ firstMs, lastMs }: Received): number {
  return (EVENTS * SUBSCRIBERS * 1_000) / (lastMs - firstMs);
}
