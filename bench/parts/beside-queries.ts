import { request } from 'node:http';
import { fill } from '../../tests/scale/fill.ts';
import { median, quantile, type BenchContext, type Figure, type Part } from '../harness/bench.ts';
import { startChild, type Child } from '../harness/child.ts';
import { runWarm } from '../harness/drain.ts';
import { startProduct } from '../harness/product.ts';
import { seedSchedules } from '../harness/seed.ts';
import type { Arrival } from '../harness/target.ts';

const JOBS = 100;
const SECONDS = 20;
const SETTLE_MS = 5_000;
/** A filter that no execution passes reads them all. */
const HISTORY = { jobs: 1_000, executions: 1_000_000, unfinished: 0 };
const CLIENTS = 8;
/** As many as an operation may have. */
const ALIASES = 250;

/** How late a hundred calls a second arrive while eight clients ask for as much as one operation may. */
export const besideQueries: Part = {
  name: 'beside-queries',
  async run(context) {
    const target = await startChild('./target.ts');
    try {
      const url = await target.ask<string>({ kind: 'listen', delayMs: 0 });
      const ratios = await measure(context, target, url);
      const figure: Figure = {
        goal: null,
        measure: '100 a second beside eight clients, p99',
        value: median(ratios),
        unit: 'of alone',
        max: 1.2,
      };
      return [figure];
    } finally {
      await target.stop();
    }
  },
};

async function measure(
  { postgres, rounds, note }: BenchContext,
  target: Child,
  url: string,
): Promise<number[]> {
  const database = await postgres.createDatabase();
  await fill(database.connectionString, HISTORY);
  await database.pool.query(
    `UPDATE jobs SET next_run_at = now() + interval '300 days' WHERE next_run_at IS NOT NULL`,
  );
  const product = await startProduct({
    DATABASE_URL: database.connectionString,
    EXECUTION_RETENTION_DAYS: '3650',
    AUDIT_RETENTION_DAYS: '3650',
  });
  try {
    await runWarm(database, product, url);
    await seedSchedules(database.pool, JOBS, url, '* * * * * *');
    const ratios: number[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const before = await p99(target);
      const clients = startClients(product.url);
      const beside = await p99(target);
      const answers = await clients.stop();
      const after = await p99(target);
      note(
        `beside-queries ${round}: p99 ${beside.toFixed(0)} ms; alone ${before.toFixed(0)} and ${after.toFixed(0)} ms; ${answers} answers meanwhile`,
      );
      ratios.push(beside / ((before + after) / 2));
    }
    return ratios;
  } finally {
    await product.stop();
    await database.drop();
  }
}

async function p99(target: Child): Promise<number> {
  await pause(SETTLE_MS);
  await target.ask({ kind: 'reset' });
  await pause(SECONDS * 1_000);
  const calls = await target.ask<Arrival[]>({ kind: 'calls' });
  const lateness = calls.map(({ atMs, slot }) => atMs - Date.parse(slot ?? ''));
  return quantile(lateness, 0.99);
}

/** Clients that ask again as soon as they have an answer, each from an address of its own. */
function startClients(url: string): { stop: () => Promise<number> } {
  const aliases = Array.from(
    { length: ALIASES },
    (_, index) => `a${index}: executions(first: 1, where: $none) { nodes { id } }`,
  );
  const query = `query ($none: ExecutionWhere) { ${aliases.join(' ')} }`;
  const body = JSON.stringify({ query, variables: { none: { durationMs: { eq: 1_000_000_000 } } } });
  const stopping = new AbortController();
  let answers = 0;
  const askOn = async (localAddress: string): Promise<void> => {
    while (!stopping.signal.aborted) {
      await ask(url, body, localAddress, stopping.signal).then(
        () => (answers += 1),
        (error: unknown) => {
          if (!stopping.signal.aborted) throw error;
        },
      );
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, index) => askOn(`127.0.0.${index + 10}`));
  return {
    async stop() {
      stopping.abort();
      await Promise.all(clients);
      return answers;
    },
  };
}

function ask(url: string, body: string, localAddress: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json' };
    const asked = request(`${url}/graphql`, { method: 'POST', localAddress, headers, signal });
    asked.on('error', reject);
    asked.on('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`The query was refused: ${response.statusCode}`));
      response.on('error', reject).on('end', resolve).resume();
    });
    asked.end(body);
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
