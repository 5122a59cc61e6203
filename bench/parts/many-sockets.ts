import { request } from '../harness/api.ts';
import { quantile, median, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import { startChild, type Child } from '../harness/child.ts';
import { residentMiB } from '../harness/cpu.ts';
import { startProduct } from '../harness/product.ts';
import type { Received } from '../harness/subscribers.ts';

/** Clients in processes of their own: each holds as many descriptors as the server does for its share. */
const PROCESSES = 2;
const SOCKETS = 10_000;
const EVENTS = 40;
const WARM_UP = 5;
const QUERY = 'subscription { jobEvents { ... on JobEvent { cursor kind at } } }';

type Held = { lastMs: number[]; kibEach: number };

/** Ten thousand websockets, each subscribed: from the mutation that makes an event to the last socket that has it. */
export const manySockets: Part = {
  name: 'many-sockets',
  async run(context) {
    const rounds: Held[] = [];
    for (let round = 1; round <= context.rounds; round += 1) {
      const held = await holdOnce(context);
      context.note(
        `many-sockets ${round}: p50 ${Math.round(median(held.lastMs))} ms, p99 ${Math.round(quantile(held.lastMs, 0.99))} ms, ${Math.round(held.kibEach)} KiB each`,
      );
      rounds.push(held);
    }
    const figures: Figure[] = [
      {
        goal: 11,
        measure: '10,000 sockets, event to last, p99',
        value: median(rounds.map(({ lastMs }) => quantile(lastMs, 0.99))),
        unit: 'ms',
        max: 400,
      },
      {
        // Of ten thousand: what a thousand take is less than a process grows by with the first work it gets.
        goal: 10,
        measure: 'memory of a subscriber',
        value: median(rounds.map(({ kibEach }) => kibEach)),
        unit: 'KiB',
        max: 35,
      },
    ];
    return figures;
  },
};

export async function holdOnce({ postgres }: BenchContext): Promise<Held> {
  const clients = await Promise.all(Array.from({ length: PROCESSES }, () => startChild('./subscribers.ts')));
  const database = await postgres.createDatabase();
  const product = await startProduct({ DATABASE_URL: database.connectionString });
  try {
    const base = residentMiB(product.pid);
    const url = `${product.url.replace(/^http/, 'ws')}/graphql`;
    const count = SOCKETS / PROCESSES;
    await Promise.all(clients.map((client) => client.ask({ kind: 'connect', url, count, query: QUERY })));
    const kibEach = ((residentMiB(product.pid) - base) * 1_024) / SOCKETS;
    const lastMs: number[] = [];
    for (let event = 0; event < WARM_UP + EVENTS; event += 1) {
      const tookMs = await deliverOne(product.url, clients, event);
      if (event >= WARM_UP) lastMs.push(tookMs);
    }
    return { lastMs, kibEach };
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
    await product.stop();
    await database.drop();
  }
}

async function deliverOne(url: string, clients: readonly Child[], number: number): Promise<number> {
  const total = SOCKETS / clients.length;
  await Promise.all(clients.map((client) => client.ask({ kind: 'expect', total })));
  const beganMs = performance.timeOrigin + performance.now();
  await request(url, 'mutation ($input: CreateJobInput!) { createJob(input: $input) { job { id } } }', {
    input: { name: `Job ${number}`, api: 'http://127.0.0.1:9/' },
  });
  const received = await Promise.all(clients.map((client) => client.ask<Received>({ kind: 'received' })));
  return Math.max(...received.map((each) => each.lastMs)) - beganMs;
}
