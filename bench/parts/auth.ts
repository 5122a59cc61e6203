import { randomBytes } from 'node:crypto';
import { SECRET_BYTES, writeApiKey } from '../../src/domain/access/api-key.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import { median, type BenchContext, type Part } from '../harness/bench.ts';
import { startChild, type Child } from '../harness/child.ts';
import type { HttpLoadResult } from '../harness/http-load.ts';
import { startProduct } from '../harness/product.ts';
import { seedJobs } from '../harness/seed.ts';

const CONNECTIONS = 32;
/** How often the two servers take turns in a round. */
const TURNS = 6;
const SMALL = { query: '{ __typename }', requests: 10_000 };
const LIST = {
  query: '{ jobs(first: 20) { nodes { id name status schedule timezone createdAt } } }',
  requests: 3_000,
};

interface Server {
  url: string;
  key?: string;
}

/** Requests per second with an API key, beside the same server that lets everybody in. */
export const auth: Part = {
  name: 'auth',
  async run(context) {
    const rounds: { small: number; list: number }[] = [];
    for (let round = 1; round <= context.rounds; round += 1) {
      const ratios = await measure(context);
      context.note(`auth ${round}: __typename ${ratios.small.toFixed(3)}, 20 jobs ${ratios.list.toFixed(3)}`);
      rounds.push(ratios);
    }
    return [
      {
        goal: 12,
        measure: '{ __typename } with a key, of without',
        value: median(rounds.map(({ small }) => small)),
        unit: 'ratio',
        min: 0.95,
      },
      {
        goal: 12,
        measure: 'a list of 20 jobs with a key, of without',
        value: median(rounds.map(({ list }) => list)),
        unit: 'ratio',
        min: 0.95,
      },
    ];
  },
};

async function measure({ postgres }: BenchContext): Promise<{ small: number; list: number }> {
  const key = writeApiKey(newUuidV7(new Date()), randomBytes(SECRET_BYTES));
  const database = await postgres.createDatabase();
  const env = { DATABASE_URL: database.connectionString };
  const load = await startChild('./http-load.ts');
  const open = await startProduct({ ...env, AUTH_MODE: 'none' });
  const keyed = await startProduct({ ...env, AUTH_MODE: 'keys', BOOTSTRAP_ADMIN_KEY: key });
  try {
    await seedJobs(database.pool, 100, 'http://127.0.0.1:9/');
    await database.pool.query('ANALYZE jobs');
    const servers = [{ url: open.url }, { url: keyed.url, key }] as const;
    return {
      small: await ratioOf(load, servers, SMALL),
      list: await ratioOf(load, servers, LIST),
    };
  } finally {
    await load.stop();
    await open.stop();
    await keyed.stop();
    await database.drop();
  }
}

/** How fast the second server answers, of the first: the median of pairs, so that a slow moment counts for one pair only. */
async function ratioOf(
  load: Child,
  [open, keyed]: readonly [Server, Server],
  asked: { query: string; requests: number },
): Promise<number> {
  const ask = async (server: Server) => {
    const request = { kind: 'load', asksApart: false, connections: CONNECTIONS, ...server, ...asked };
    return (await load.ask<HttpLoadResult>(request)).perSecond;
  };
  // Both are warm before anything counts, and each is asked as often as the other: code that runs more often runs faster.
  for (const server of [open, keyed, keyed, open]) await ask(server);
  const ratios: number[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    const [first, second] = turn % 2 === 0 ? [open, keyed] : [keyed, open];
    const paces = new Map([[first, await ask(first)]]);
    paces.set(second, await ask(second));
    ratios.push((paces.get(keyed) ?? NaN) / (paces.get(open) ?? NaN));
  }
  return median(ratios);
}
