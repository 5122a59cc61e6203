import { median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import { startChild, type Child } from '../harness/child.ts';
import { residentMiB } from '../harness/cpu.ts';
import { warmUp } from '../harness/drain.ts';
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

/** Deliveries per second to all subscribers together, and what one of them costs in memory. */
type FanOut = { perSecond: number; kibEach: number };

/** Every event to a thousand websocket subscribers, beside a server that sends a ready string to each. */
export const fanOut: Part = {
  name: 'fan-out',
  async run(context) {
    const rounds: { ours: FanOut; stock: FanOut; ready: number }[] = [];
    for (let round = 1; round <= context.rounds; round += 1) {
      const before = await ceiling();
      const ours = await product(context);
      const stock = await stockFeed();
      const after = await ceiling();
      const ready = (before + after) / 2;
      context.note(
        `fan-out ${round}: ${Math.round(ours.perSecond)}/s and ${Math.round(ours.kibEach)} KiB each; ready string ${Math.round(before)} and ${Math.round(after)}/s; stock ${Math.round(stock.perSecond)}/s and ${Math.round(stock.kibEach)} KiB`,
      );
      rounds.push({ ours, stock, ready });
    }
    const of = (value: (round: (typeof rounds)[number]) => number) => median(rounds.map(value));
    const figures: Figure[] = [
      {
        goal: 10,
        measure: 'fan-out, of ws.send of a ready string',
        value: of(({ ours, ready }) => ours.perSecond / ready),
        unit: 'ratio',
        min: 0.8,
      },
      {
        goal: 10,
        measure: 'fan-out, of Yoga and graphql-ws',
        value: of(({ ours, stock }) => ours.perSecond / stock.perSecond),
        unit: 'ratio',
        min: 3.5,
      },
      {
        goal: 10,
        measure: 'memory of a subscriber',
        value: of(({ ours }) => ours.kibEach),
        unit: 'KiB',
        max: 35,
      },
    ];
    return figures;
  },
};

async function product({ postgres }: BenchContext): Promise<FanOut> {
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
    // Else what is measured is how the process grows with the first work it gets, whatever that is.
    await warmUp(database, scheduler, api);
    const base = residentMiB(scheduler.pid);
    const url = `${scheduler.url.replace(/^http/, 'ws')}/graphql`;
    await subscribers.ask({ kind: 'connect', url, count: SUBSCRIBERS, query: QUERY });
    const kibEach = ((residentMiB(scheduler.pid) - base) * 1_024) / SUBSCRIBERS;
    await round();
    return { perSecond: await round(), kibEach };
  } finally {
    await subscribers.stop();
    await scheduler.stop();
    await target.stop();
    await database.drop();
  }
}

async function stockFeed(): Promise<FanOut> {
  return overServer('./stock-feed.ts', STOCK_QUERY, { kind: 'publish', events: EVENTS });
}

async function ceiling(): Promise<number> {
  return (await overServer('./ready-string.ts', '{ __typename }', { kind: 'send', messages: EVENTS }))
    .perSecond;
}

async function overServer(module: string, query: string, send: object): Promise<FanOut> {
  const server = await startChild(module);
  const subscribers = await startChild('./subscribers.ts');
  try {
    const url = await server.ask<string>({ kind: 'listen' });
    const base = residentMiB(server.pid);
    await subscribers.ask({ kind: 'connect', url, count: SUBSCRIBERS, query });
    const kibEach = ((residentMiB(server.pid) - base) * 1_024) / SUBSCRIBERS;
    const round = async (child: Child) => {
      await subscribers.ask({ kind: 'expect', total: EVENTS * SUBSCRIBERS });
      await child.ask(send);
      return perSecond(await subscribers.ask<Received>({ kind: 'received' }));
    };
    await round(server);
    return { perSecond: await round(server), kibEach };
  } finally {
    await subscribers.stop();
    await server.stop();
  }
}

function perSecond({ firstMs, lastMs }: Received): number {
  return (EVENTS * SUBSCRIBERS * 1_000) / (lastMs - firstMs);
}
