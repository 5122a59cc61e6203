import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PrismaPg } from '@prisma/adapter-pg';
import { createYoga } from 'graphql-yoga';
import { createPool } from '../../src/database/pool.ts';
import { PrismaClient } from '../../src/generated/prisma/client.ts';
import { createGraphqlBase, type GraphqlParts } from '../../src/graphql/context.ts';
import { schema } from '../../src/graphql/schema.ts';
import { createApiReads } from '../../src/store/api-reads.ts';
import { answer } from './answer.ts';

/** A peer: the scheduler's own resolvers behind Yoga as it comes, over node's HTTP server. */
export type StockApiRequest = { kind: 'listen'; connectionString: string };

answer(async ({ connectionString }: StockApiRequest) => {
  const pool = createPool({ connectionString });
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  // What lists of jobs take, and nothing else.
  const parts = {
    ...createApiReads(pool, { now: () => new Date() }),
    prisma,
    readsPerCaller: 20,
  } as GraphqlParts;
  // Yoga copies what a context has of its own, so nothing is inherited, and Prisma is not made for each caller.
  const base: object = Object.defineProperty(createGraphqlBase(parts), 'prisma', { value: prisma });
  const caller = { actor: 'anonymous', requestId: 'bench', address: null };
  const yoga = createYoga({
    schema,
    logging: false,
    context: () => ({ ...base, caller, isGone: () => false, lastEventId: null }),
  });
  // Yoga answers when it likes, and the server does not wait for it.
  const server = createServer((request, response) => void yoga(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
