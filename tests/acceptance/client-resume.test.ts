import { print } from 'graphql';
import { beforeAll, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { createApolloClient } from '../../client/src/apollo.ts';
import {
  DeleteJobDocument,
  ListJobsDocument,
  PauseJobDocument,
  ResumeJobDocument,
  ShowExecutionDocument,
  UpdateJobDocument,
  WatchExecutionsDocument,
  WatchJobsDocument,
  WatchLogDocument,
  type ShowExecutionQuery,
  type WatchExecutionsSubscription,
  type WatchJobsSubscription,
  type WatchLogSubscription,
} from '../../client/src/generated/graphql.ts';
import { followState } from '../../client/src/live-state.ts';
import type { TransportOptions } from '../../client/src/transport.ts';
import { createUrqlClient } from '../../client/src/urql.ts';
import { decodeCursor } from '../../src/events/cursor.ts';
import { apiClient, type ApiClient } from '../support/api-client.ts';
import { startCuttingProxy, type CuttingProxy } from '../support/cutting-proxy.ts';
import { SHORT_LEASE, type ServerProcess } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';
import { allEnded } from './endings.ts';

const world = useWorld('file');
let server: ServerProcess;
let api: ApiClient;

beforeAll(async () => {
  server = await world.startServer();
  api = apiClient({
    get url() {
      return server.url;
    },
  });
});

type Hearing = {
  onBegun: (cursor: string) => void;
  onItem: (item: Item) => void;
  onTrouble: (trouble: unknown) => void;
};
type Watch = (
  document: typeof WatchExecutionsDocument | typeof WatchJobsDocument | typeof WatchLogDocument,
  variables: object,
  hearing: Hearing,
) => () => void;
type Data = Record<string, Item>;

const CLIENTS = [
  function watchWithUrql(options: TransportOptions): Watch {
    const { client, transport } = createUrqlClient(options);
    onTestFinished(transport.close);
    return (document, variables, { onBegun, onItem, onTrouble }) => {
      const watching = client
        .subscription<Data>(document, variables, { onBegun })
        .subscribe(({ data, error }) => {
          for (const item of Object.values(data ?? {})) onItem(item);
          if (error) onTrouble(error);
        });
      return () => {
        watching.unsubscribe();
      };
    };
  },
  function watchWithApollo(options: TransportOptions): Watch {
    const { client, transport } = createApolloClient(options);
    onTestFinished(() => {
      transport.close();
      client.stop();
    });
    return (query, variables, { onBegun, onItem, onTrouble }) => {
      const watching = client.subscribe<Data>({ query, variables, context: { onBegun } }).subscribe({
        next: ({ data, error }) => {
          for (const item of Object.values(data ?? {})) onItem(item);
          if (error) onTrouble(error);
        },
        error: onTrouble,
      });
      return () => {
        watching.unsubscribe();
      };
    };
  },
];

type Item =
  | WatchExecutionsSubscription['executionEvents']
  | WatchJobsSubscription['jobEvents']
  | WatchLogSubscription['executionLogs'];

/** A proxy between client and server. Its address stays the same when the server moves. */
type Remote = { proxy: CuttingProxy; watch: Watch };

async function connectBoth(): Promise<Remote[]> {
  return await Promise.all(
    CLIENTS.map(async (watchWith) => {
      const proxy = await startCuttingProxy(() => server.url);
      onTestFinished(proxy.close);
      const backoff = { initialDelayMs: 10, maxDelayMs: 200 };
      return { proxy, watch: watchWith({ url: `${proxy.url}/graphql`, webSocket: WebSocket, backoff }) };
    }),
  );
}

/**
 * Follows a feed, and cuts its connection after each given number of new items. Items that arrived before a cut are
 * published after the cut. If the next cut is due before the client has reconnected, it waits for the next item.
 */
function follow(
  { watch, proxy }: Remote,
  document: Parameters<Watch>[0],
  variables: object,
  cutAfter: number[],
) {
  const items: Item[] = [];
  const troubles: unknown[] = [];
  const begun: string[] = [];
  const cutsLeft = [...cutAfter];
  let sinceCut = 0;
  const stop = watch(document, variables, {
    onBegun: (cursor) => begun.push(cursor),
    onItem: (item) => {
      items.push(item);
      sinceCut += 1;
      const [wanted] = cutsLeft;
      if (wanted === undefined || sinceCut < wanted || proxy.open === 0) return;
      cutsLeft.shift();
      sinceCut = 0;
      proxy.cut();
    },
    onTrouble: (trouble) => troubles.push(trouble),
  });
  onTestFinished(stop);
  return { items, troubles, begun, proxy, cuts: () => cutAfter.length - cutsLeft.length };
}

type Feed = ReturnType<typeof follow>;
type Kinds = 'EXECUTION' | 'JOB';

/** Subscribes with both clients and waits until both feeds are open. */
async function followWithBoth(
  remotes: Remote[],
  document: Parameters<Watch>[0],
  cutAfter: number[],
): Promise<Feed[]> {
  const feeds = remotes.map((remote) => follow(remote, document, {}, cutAfter));
  for (const { begun } of feeds) await until(() => begun.length > 0);
  return feeds;
}

const positionOf = (cursor = '') => decodeCursor(cursor)?.position ?? -1n;

/** The log positions of the events that a feed must send. */
async function writtenFor({ begun }: Pick<Feed, 'begun'>, kinds: Kinds): Promise<bigint[]> {
  const { rows } = await world.pool.query<{ position: bigint }>(
    'SELECT position FROM event_log WHERE kind::text LIKE $1 AND position > $2 ORDER BY position',
    [`${kinds}_%`, positionOf(begun[0])],
  );
  return rows.map(({ position }) => position);
}

/**
 * Waits until both clients have received everything written so far and are connected again. The next events can then be
 * cut off.
 */
async function allBack(feeds: Feed[], countWritten: (feed: Feed) => Promise<number>): Promise<void> {
  for (const feed of feeds) {
    const isBack = async () => {
      const written = await countWritten(feed);
      return feed.items.length >= written && feed.proxy.open > 0;
    };
    await until(isBack, { timeoutMs: 30_000 });
  }
}

const allBackAfter = (feeds: Feed[], kinds: Kinds) =>
  allBack(feeds, async (feed) => (await writtenFor(feed, kinds)).length);

/** Waits until a client has received as many events as the log holds, and expects the same events in the same order. */
async function expectEachOnce(
  { items, troubles, begun }: Pick<Feed, 'items' | 'troubles' | 'begun'>,
  kinds: Kinds,
): Promise<void> {
  const written = await writtenFor({ begun }, kinds);
  await until(() => items.length >= written.length, { timeoutMs: 30_000 });
  expect(
    items.map(({ __typename, ...item }) => ('cursor' in item ? positionOf(item.cursor) : __typename)),
  ).toEqual(written);
  expect(troubles).toEqual([]);
}

/** Expects that a feed was cut at least this many times, and resumed after each cut. */
async function expectCuts({ cuts, proxy }: Feed, least: number): Promise<void> {
  expect(cuts()).toBeGreaterThanOrEqual(least);
  await until(() => proxy.opened > cuts());
}

it('gives urql and Apollo Client every event once, in order, while their connections are cut again and again', async () => {
  const { target, pool } = world;
  target.script('/flaky', ({ headers }) => (headers['x-attempt'] === '1' ? 503 : 200));
  const retryPolicy = { backoffStrategy: 'FIXED', initialDelayMs: 20 };
  const job = await api.createJob({ api: `${target.url}/flaky`, retryPolicy });
  const feeds = await followWithBoth(
    await connectBoth(),
    WatchExecutionsDocument,
    [1, 1, 2, 3, 5, 8, 13, 21, 1, 2, 1, 3, 1],
  );

  const ROUNDS = 6;
  // The five events: planned, started, retry planned, started, succeeded.
  const EVENTS_OF_ROUND = 6 * 5;
  // Writes the events in steps. Events that exist together are sent together, so a later cut would interrupt nothing.
  for (let round = 1; round <= ROUNDS; round += 1) {
    await api.triggerMany(job, 6);
    await allEnded(pool);
    await allBackAfter(feeds, 'EXECUTION');
  }
  for (const feed of feeds) {
    await expectEachOnce(feed, 'EXECUTION');
    expect(feed.items).toHaveLength(ROUNDS * EVENTS_OF_ROUND);
    // At least one cut in each round, since a round has more events than the distance between two cuts.
    await expectCuts(feed, ROUNDS);
  }
});

it('sends them every change of a job once', async () => {
  const cuts = [1, 2, 1, 3];
  const feeds = await followWithBoth(await connectBoth(), WatchJobsDocument, cuts);
  const { id } = await api.createJob({ api: `${world.target.url}/ok` });
  const variables = { input: { id } };
  for (let round = 0; round < 6; round += 1) {
    await allBackAfter(feeds, 'JOB');
    await api.query(print(PauseJobDocument), variables);
    await api.query(print(ResumeJobDocument), variables);
  }
  for (const feed of feeds) {
    await expectEachOnce(feed, 'JOB');
    expect(feed.items).toHaveLength(13);
    await expectCuts(feed, cuts.length);
  }
});

it('keeps a list correct that is read while jobs are created and deleted', async () => {
  const proxy = await startCuttingProxy(() => server.url);
  onTestFinished(proxy.close);
  const backoff = { initialDelayMs: 10, maxDelayMs: 200 };
  const { client, transport } = createUrqlClient({
    url: `${proxy.url}/graphql`,
    webSocket: WebSocket,
    backoff,
  });
  onTestFinished(transport.close);
  const load = async () => {
    const { data } = await client.query(ListJobsDocument, { first: 100 }, { requestPolicy: 'network-only' });
    if (!data) throw new Error('The list could not be read');
    return new Map(data.jobs.nodes.map(({ id, name }) => [id, name]));
  };
  let list = new Map<string, string>();
  let isLoaded = false;
  let events = 0;
  const stop = followState<WatchJobsSubscription, typeof list>({
    subscribe: (sink, options) =>
      transport.subscribe({ query: WatchJobsDocument, variables: {} }, sink, options),
    load,
    onState: (state) => {
      list = state;
      isLoaded = true;
    },
    onEvent: ({ kind, job }) => {
      if (kind === 'DELETED') list.delete(job.id);
      else list.set(job.id, job.name);
      events += 1;
      if (events % 5 === 0) proxy.cut();
    },
  });
  onTestFinished(stop);
  await until(() => isLoaded);

  await Promise.all(
    Array.from({ length: 12 }, async (_, number) => {
      const { id } = await api.createJob({ api: `${world.target.url}/ok`, name: `first ${number}` });
      await api.query(print(UpdateJobDocument), { input: { id, name: `second ${number}` } });
      if (number % 2) await api.query(print(DeleteJobDocument), { input: { id } });
    }),
  );
  // Goes past the proxy, which may cut the connections through it.
  const { jobs } = await api.query<{ jobs: { nodes: { id: string; name: string }[] } }>(
    print(ListJobsDocument),
    { first: 100 },
  );
  const wanted = new Map(jobs.nodes.map(({ id, name }) => [id, name]));
  expect([...wanted.values()]).toContain('second 0');
  await until(() => JSON.stringify([...list].sort()) === JSON.stringify([...wanted].sort()));
  expect(events).toBeGreaterThan(5);
  await until(() => proxy.opened > 1);
});

it('sends them each line of a log once', async () => {
  const { target, pool } = world;
  const gate = target.gate('/failing', 503);
  const retryPolicy = { maxRetries: 12, backoffStrategy: 'FIXED', initialDelayMs: 50 };
  const job = await api.createJob({ api: `${target.url}/failing`, retryPolicy });
  const id = await api.trigger(job);
  const readLines = async () => {
    const { execution } = await api.query<ShowExecutionQuery>(print(ShowExecutionDocument), { id });
    return execution?.logs.nodes ?? [];
  };
  const feeds = (await connectBoth()).map((remote) =>
    follow(remote, WatchLogDocument, { executionId: id }, [1, 2, 1, 3, 1]),
  );
  const back = () => allBack(feeds, async () => (await readLines()).length);
  // Three attempts at a time. The clients are connected for the lines of the first, and may be disconnected for the
  // others.
  target.script('/failing', ({ headers }) =>
    Number(headers['x-attempt']) % 3 === 1 ? { status: 503, after: back() } : 503,
  );
  await back();
  gate.open();

  await allEnded(pool);
  const lines = await readLines();
  expect(lines.length).toBeGreaterThan(12);
  for (const feed of feeds) {
    const { items, troubles } = feed;
    await until(() => items.length >= lines.length);
    expect(items.map((item) => ('log' in item ? item.log : item))).toMatchObject(lines);
    expect(troubles).toEqual([]);
    await expectCuts(feed, 4);
  }
});

it('reports a gap to them and continues behind it', async () => {
  const job = await api.createJob({ api: `${world.target.url}/ok` });
  const feeds = (await connectBoth()).map((remote) =>
    follow(remote, WatchExecutionsDocument, { after: 'from another time' }, [1, 1]),
  );
  await allBack(feeds, () => Promise.resolve(1));
  await api.trigger(job);
  await allEnded(world.pool);
  for (const feed of feeds) {
    const { items, troubles } = feed;
    await expectCuts(feed, 1);
    const gap = items.shift();
    expect(gap).toMatchObject({ __typename: 'FeedGap', reason: 'CURSOR_INVALID' });
    const begun = [gap?.__typename === 'FeedGap' ? gap.toCursor : ''];
    await expectEachOnce({ items, troubles, begun }, 'EXECUTION');
  }
});

it('sends them every event once when the server is killed', async () => {
  await server.stop();
  server = await world.startServer(SHORT_LEASE);
  const { target, pool } = world;
  const gate = target.gate('/slow');
  const job = await api.createJob({ api: `${target.url}/slow` });
  const cuts = [2, 7, 3];
  const feeds = await followWithBoth(await connectBoth(), WatchExecutionsDocument, cuts);
  await api.triggerMany(job, 10);
  await target.received('/slow', 10);
  await allBackAfter(feeds, 'EXECUTION');

  await server.kill();
  server = await world.startServer();
  await api.triggerMany(job, 10);
  await target.received('/slow', 30);
  await allBackAfter(feeds, 'EXECUTION');
  gate.open();
  await allEnded(pool);
  for (const feed of feeds) {
    await expectEachOnce(feed, 'EXECUTION');
    await expectCuts(feed, cuts.length);
  }
});
