import { PrismaPg } from '@prisma/adapter-pg';
import { graphql, type GraphQLFormattedError, parse, subscribe } from 'graphql';
import type pg from 'pg';
import { createCommands } from '../../src/commands/commands.ts';
import { createRequestTester } from '../../src/commands/jobs/test-request.ts';
import { createFeeds } from '../../src/events/feeds.ts';
import { createEventHub, type EventHub } from '../../src/events/hub.ts';
import { createTicker } from '../../src/events/ticker.ts';
import { PrismaClient } from '../../src/generated/prisma/client.ts';
import {
  createGraphqlBase,
  createRequestContext,
  type GraphqlBase,
  type GraphqlContext,
} from '../../src/graphql/context.ts';
import { schema } from '../../src/graphql/schema.ts';
import { createSender } from '../../src/http/send-attempt.ts';
import { sendFilled } from '../../src/http/send-filled.ts';
import { StopSignal } from '../../src/http/stop-signal.ts';
import { createTargetGuard } from '../../src/http/target-guard.ts';
import { createApiReads } from '../../src/store/api-reads.ts';
import type { Viewer } from '../../src/domain/access/viewer.ts';
import { BLOCKED_ADDRESS, CALLER, type CommandHarness, createCommandHarness } from '../commands/harness.ts';
import { ADA } from '../support/viewers.ts';

type Variables = Record<string, unknown>;
type SentQuery = { text: string; values: readonly unknown[] };
type Answer = { data: unknown; errors: GraphQLFormattedError[] };

/** The schema on its own database, without a server. */
export interface ApiHarness extends CommandHarness {
  /** Executes an operation that must succeed. */
  query: <Data>(source: string, variables?: Variables) => Promise<Data>;
  /** Executes an operation that may fail. */
  execute: (source: string, variables?: Variables, viewer?: Viewer) => Promise<Answer>;
  /** Opens a subscription that must be accepted. */
  subscribe: <Data>(source: string, variables?: Variables) => Promise<AsyncGenerator<Data>>;
  /** For the test's own server with the same parts. */
  base: GraphqlBase;
  hub: EventHub;
  /** The text of every statement sent since the last call. */
  takeStatements: () => string[];
  /** The same with their values. */
  takeQueries: () => SentQuery[];
}

/** @param windowCapacity events that subscribers find in memory; those further behind read the log */
export async function createApiHarness({ windowCapacity = 8_192 } = {}): Promise<ApiHarness> {
  const commands = await createCommandHarness();
  const { pool, clock } = commands;
  const queries = recordQueries(pool);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  const hub = createEventHub({ db: pool, pollIntervalMs: 50, windowCapacity, onError: fail });
  const reads = createApiReads(pool, clock);
  const sender = createSender({
    version: 'test',
    guard: createTargetGuard({ blockedRanges: [BLOCKED_ADDRESS] }),
  });
  const base = createGraphqlBase({
    ...reads,
    readsPerCaller: 5,
    prisma,
    commands: createCommands({ ...commands.deps, wake: hub.wake }),
    testRequest: createRequestTester({
      ...commands.deps,
      send: (request, values, timeoutMs) =>
        sendFilled(sender, request, () => values, { signal: new StopSignal(), timeoutMs }),
    }),
    events: createFeeds({ db: pool, hub }),
    clock,
    systemMetrics: createTicker({ read: reads.metrics.system, onError: fail }),
    health: () =>
      Promise.resolve({
        status: 'UP',
        version: '1.2.3',
        uptimeSeconds: 1.5,
        database: { status: 'UP', latencyMs: 0.5, message: null },
        scheduler: { status: 'UP', message: null },
      }),
    heartbeatIntervalMs: 30_000,
  });
  const newContext = (viewer = ADA): GraphqlContext =>
    createRequestContext(base, { ...CALLER, viewer, isGone: () => false });

  async function execute(source: string, variables: Variables = {}, viewer = ADA): Promise<Answer> {
    const { data, errors = [] } = await graphql({
      schema,
      source,
      variableValues: variables,
      contextValue: newContext(viewer),
    });
    return { data: toPlain(data), errors: errors.map((error) => error.toJSON()) };
  }

  return {
    ...commands,
    base,
    hub,
    execute,
    query: async <Data>(source: string, variables?: Variables) =>
      dataOf<Data>(await execute(source, variables)),
    subscribe: async <Data>(source: string, variables: Variables = {}) => {
      const result = await subscribe({
        schema,
        document: parse(source),
        variableValues: variables,
        contextValue: newContext(),
      });
      if (!(Symbol.asyncIterator in result)) throw new Error(JSON.stringify(result.errors));
      return itemsOf<Data>(result);
    },
    takeStatements: () => queries.splice(0).map(({ text }) => text),
    takeQueries: () => queries.splice(0),
    close: async () => {
      await hub.stop();
      sender.close();
      await prisma.$disconnect();
      await commands.close();
    },
  };
}

async function* itemsOf<Data>(results: AsyncGenerator<unknown, void, void>): AsyncGenerator<Data> {
  for await (const result of results) yield dataOf<Data>(toPlain(result) as Answer);
}

// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the type of the answer
function dataOf<Data>({
  data,
  errors = [],
}: {
  data?: unknown;
  errors?: readonly GraphQLFormattedError[];
}): Data {
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return data as Data;
}

/** The result as a client gets it: graphql-js returns objects without a prototype, and Dates. */
function toPlain(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

function fail(error: unknown): never {
  throw error;
}

function recordQueries(pool: pg.Pool): SentQuery[] {
  const queries: SentQuery[] = [];
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    Object.assign(client, {
      query: (...args: unknown[]) => {
        const [statement, values = []] = args;
        const sent = typeof statement === 'string' ? { text: statement } : (statement as Partial<SentQuery>);
        queries.push({ text: sent.text ?? '', values: sent.values ?? (values as unknown[]) });
        return query(...args);
      },
    });
  });
  return queries;
}
