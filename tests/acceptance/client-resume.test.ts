import { expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { createApolloClient } from '../../client/src/apollo.ts';
import {
  WatchExecutionsDocument,
  WatchLogDocument,
  type WatchExecutionsSubscription,
  type WatchLogSubscription,
} from '../../client/src/generated/graphql.ts';
import type { SubscribeOptions, TransportOptions } from '../../client/src/transport.ts';
import { createUrqlClient } from '../../client/src/urql.ts';
import { decodeCursor } from '../../src/events/cursor.ts';
import { apiClient } from '../support/api-client.ts';
import { startCuttingProxy, type CuttingProxy } from '../support/cutting-proxy.ts';
import { executionEventPositions } from '../support/event-follower.ts';
import { SHORT_LEASE, type ServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';
import { allEnded } from './endings.ts';

const world = useWorld('test');

type FeedData = WatchExecutionsSubscription | WatchLogSubscription;
type Watch = (
  document: typeof WatchExecutionsDocument | typeof WatchLogDocument,
  variables: Record<string, unknown>,
  options: SubscribeOptions,
  onData: (data: FeedData) => void,
  onTrouble: (trouble: unknown) => void,
) => () => void;

function urqlWatch(options: TransportOptions): Watch {
  const { client, transport } = createUrqlClient(options);
  onTestFinished(transport.close);
  return (document, variables, context, onData, onTrouble) => {
    const results = client.subscription<FeedData>(document, variables, context);
    const watching = results.subscribe(({ data, error }) => {
      if (data) onData(data);
      if (error) onTrouble(error);
    });
    return () => {
      watching.unsubscribe();
    };
  };
}

function apolloWatch(options: TransportOptions): Watch {
  const { client, transport } = createApolloClient(options);
  onTestFinished(() => {
    transport.close();
    client.stop();
  });
  return (query, variables, context, onData, onTrouble) => {
    const watching = client.subscribe<FeedData>({ query, variables, context }).subscribe({
      next: ({ data, error }) => {
        if (data) onData(data);
        if (error) onTrouble(error);
      },
      error: onTrouble,
    });
    return () => {
      watching.unsubscribe();
    };
  };
}

const CLIENTS = [
  { name: 'urql', watchWith: urqlWatch },
  { name: 'Apollo Client', watchWith: apolloWatch },
];

/** A server, and for each client a way to it that stays where it is when the server does not. */
async function startBehindProxies(env?: Record<string, string>) {
  let server: ServerProcess = await world.startServer(env);
  const clients = await Promise.all(
    CLIENTS.map(async ({ name, watchWith }) => {
      const proxy = await startCuttingProxy(() => server.url);
      onTestFinished(proxy.close);
      const backoff = { initialDelayMs: 10, maxDelayMs: 200 };
      return {
        name,
        proxy,
        watch: watchWith({ url: `${proxy.url}/graphql`, webSocket: WebSocket, backoff }),
      };
    }),
  );
  return {
    clients,
    api: apiClient({
      get url() {
        return server.url;
      },
    }),
    kill: () => server.kill(),
    restart: async () => {
      server = await world.startServer();
    },
  };
}

type Item = WatchExecutionsSubscription['executionEvents'] | WatchLogSubscription['executionLogs'];

const isEvent = (item: Item) => item.__typename !== 'FeedGap';

/** Follows a feed, and cuts its connections each time that so many more items have arrived. */
function follow(
  { watch, proxy }: { watch: Watch; proxy: CuttingProxy },
  document: Parameters<Watch>[0],
  variables: Record<string, unknown>,
  cutAfter: readonly number[],
) {
  const items: Item[] = [];
  const troubles: unknown[] = [];
  const begun: string[] = [];
  const cuts = [...cutAfter];
  let sinceCut = 0;
  const stop = watch(
    document,
    variables,
    { onBegun: (cursor) => begun.push(cursor) },
    (data) => {
      items.push(...(Object.values(data) as Item[]));
      sinceCut += 1;
      if (sinceCut !== cuts[0]) return;
      cuts.shift();
      sinceCut = 0;
      proxy.cut();
    },
    (trouble) => troubles.push(trouble),
  );
  onTestFinished(stop);
  return { items, troubles, begun };
}

/** Follows all executions once the feed stands. */
async function followExecutions(client: { watch: Watch; proxy: CuttingProxy }, cutAfter: readonly number[]) {
  const feed = follow(client, WatchExecutionsDocument, {}, cutAfter);
  await until(() => feed.begun.length > 0);
  return feed;
}

/** Waits until as many events were told as are in the log, and expects them to be the same ones in the same order. */
async function expectEachOnce({ items, troubles }: ReturnType<typeof follow>): Promise<void> {
  const logged = await executionEventPositions(world.pool);
  const events = () => items.filter(isEvent);
  await until(() => events().length >= logged.length, { timeoutMs: 30_000 });
  const told = events().map(({ cursor }) => decodeCursor(cursor)?.position);
  expect(told).toEqual(logged);
  expect(troubles).toEqual([]);
}

it('gives urql and Apollo Client every event once, in order, though their connections are cut again and again', async () => {
  const { clients, api } = await startBehindProxies();
  const { target, pool } = world;
  target.script('/flaky', ({ headers }) => (headers['x-attempt'] === '1' ? 503 : 200));
  const retryPolicy = { backoffStrategy: 'FIXED', initialDelayMs: 20 };
  const job = await api.createJob({ api: `${target.url}/flaky`, retryPolicy });
  const cuts = [1, 1, 2, 3, 5, 8, 13, 21, 1, 2, 1, 3, 1, 40];
  const feeds = await Promise.all(clients.map((client) => followExecutions(client, cuts)));

  for (let round = 0; round < 3; round += 1) await api.triggerMany(job, 12);
  await allEnded(pool);
  for (const feed of feeds) {
    await expectEachOnce(feed);
    // Planned, started, to be retried, started, succeeded.
    expect(feed.items).toHaveLength(3 * 12 * 5);
  }
  // What had arrived before a cut is told without it, so not every item counted leads to one.
  for (const { proxy } of clients) expect(proxy.opened).toBeGreaterThan(cuts.length / 2);
});

it('gives them every event once across the death of the server', async () => {
  const { clients, api, kill, restart } = await startBehindProxies(SHORT_LEASE);
  const { target, pool } = world;
  const gate = target.gate('/slow');
  const job = await api.createJob({ api: `${target.url}/slow` });
  const feeds = await Promise.all(clients.map((client) => followExecutions(client, [2, 7, 3])));
  await api.triggerMany(job, 10);
  await target.received('/slow', 10);

  await kill();
  await restart();
  await api.triggerMany(job, 10);
  await target.received('/slow', 30);
  gate.open();
  await allEnded(pool);
  for (const feed of feeds) await expectEachOnce(feed);
});

it('gives them each line of a log once, and its end', async () => {
  const { clients, api } = await startBehindProxies();
  const { target, pool } = world;
  target.script('/failing', 503);
  const retryPolicy = { maxRetries: 12, backoffStrategy: 'FIXED', initialDelayMs: 50 };
  const job = await api.createJob({ api: `${target.url}/failing`, retryPolicy });
  const executionId = await api.trigger(job);
  const feeds = clients.map((client) => follow(client, WatchLogDocument, { executionId }, [1, 2, 1, 3, 1]));
  await allEnded(pool);
  type Logs = { execution: { logs: { nodes: { message: string }[] } } };
  const { execution } = await api.query<Logs>(
    'query ($id: ID!) { execution(id: $id) { logs(first: 100) { nodes { message } } } }',
    { id: executionId },
  );
  for (const feed of feeds) {
    await until(() => feed.items.length >= execution.logs.nodes.length);
    const told = feed.items.map((item) => ('log' in item ? { message: item.log.message } : item));
    expect(told).toEqual(execution.logs.nodes);
    expect(feed.troubles).toEqual([]);
  }
});

it('tells them of a gap, and goes on behind it', async () => {
  const { clients, api } = await startBehindProxies();
  const job = await api.createJob({ api: `${world.target.url}/ok` });
  const feeds = clients.map((client) =>
    follow(client, WatchExecutionsDocument, { after: 'from another time' }, [1, 1]),
  );
  for (const { items } of feeds) await until(() => items.length > 0);
  await api.trigger(job);
  await allEnded(world.pool);
  for (const feed of feeds) {
    await expectEachOnce(feed);
    expect(feed.items[0]).toMatchObject({ __typename: 'FeedGap', reason: 'CURSOR_INVALID' });
    expect(feed.items.filter((item) => !isEvent(item))).toHaveLength(1);
  }
});
