import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { encodeCursor } from '../../src/events/cursor.ts';
import type { GraphqlBase } from '../../src/graphql/context.ts';
import { appendEvents } from '../../src/store/events/append-events.ts';
import { readEventLogState, readEvents } from '../../src/store/events/event-log.ts';
import { inTransaction } from '../../src/store/statements/sql.ts';
import { clearJobs } from '../commands/harness.ts';
import { type ApiHarness, createApiHarness } from '../graphql/api-harness.ts';
import { sseClient, wsClient } from '../support/graphql-clients.ts';
import { START } from '../support/manual-clock.ts';
import { rawConnection, watchServerSockets } from '../support/raw-connections.ts';
import { insertJob } from '../support/rows.ts';
import { until } from '../support/until.ts';
import { startApiServer } from './api-server.ts';

let api: ApiHarness;
let jobId: string;

beforeAll(async () => {
  // So small that whoever stops reading for a moment has to go on from the log.
  api = await createApiHarness({ windowCapacity: 4 });
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  await clearJobs(api.pool);
  jobId = await insertJob(api.pool, { body: JSON.stringify('x'.repeat(RESULT_BYTES)) });
});

const RESULT_BYTES = 20_000;
const MOST_HELD_BYTES = 1_000_000;
const SUBSCRIPTIONS = 50;

/** Events of some 20 KB each. */
const LARGE = `subscription ($after: String) { jobEvents(after: $after) {
  ... on JobEvent { cursor job { body } } ... on FeedGap { reason } } }`;
const SMALL = `subscription ($after: String) { jobEvents(after: $after) {
  ... on JobEvent { cursor kind } ... on FeedGap { reason } } }`;

type Item = { cursor?: string; reason?: string };
type Result = { data?: { jobEvents: Item } };
type Message = { id?: string; type: string; payload?: Result };

async function append(events: number): Promise<void> {
  await inTransaction(api.pool, (tx) =>
    appendEvents(
      tx,
      Array.from({ length: events }, () => ({ at: START, kind: 'JOB_UPDATED' as const, jobId })),
    ),
  );
  api.hub.wake();
}

/** The cursors of all events behind one, as a subscriber should get them. */
async function cursorsBehind(start: bigint): Promise<string[]> {
  const { epoch } = await readEventLogState(api.pool);
  return (await readEvents(api.pool, start, 10_000)).map(({ position }) => encodeCursor({ epoch, position }));
}

async function tip(): Promise<bigint> {
  return (await readEventLogState(api.pool)).tip;
}

/** Looks into the feeds of servers that start from now on: subscriptions that stand, and results that are being made. */
function watchFeeds(): { opened: () => number; inMaking: () => number } {
  const { events } = api.base;
  let opened = 0;
  let inMaking = 0;
  const watched: GraphqlBase['events'] = {
    ...events,
    subscribe: async (options) => {
      const feed = await events.subscribe(options);
      opened += 1;
      return feed;
    },
    // Each result of these tests reads its job once.
    readForEvent: async (read) => {
      inMaking += 1;
      try {
        return await events.readForEvent(read);
      } finally {
        inMaking -= 1;
      }
    },
  };
  api.base.events = watched;
  onTestFinished(() => {
    api.base.events = events;
  });
  return { opened: () => opened, inMaking: () => inMaking };
}

/** What is held for clients, at most at any turn of the event loop: what sockets have not taken in, and results in making. */
function watchHeldBytes(
  sockets: ReadonlySet<Socket>,
  inMaking: () => number,
  resultBytes = RESULT_BYTES,
): () => number {
  let most = 0;
  let isOver = false;
  const look = () => {
    const unsent = [...sockets].reduce((sum, { writableLength }) => sum + writableLength, 0);
    most = Math.max(most, unsent + inMaking() * resultBytes);
    if (!isOver) setImmediate(look);
  };
  look();
  onTestFinished(() => {
    isOver = true;
  });
  return () => most;
}

type Follower = { socket: WebSocket; raw: Socket; cursors: Map<string, Item[]>; closed: Promise<number> };

/** Opens so many subscriptions on one socket, each from `after` on. Resolves when all of them stand. */
async function follow(
  port: number,
  query: string,
  subscriptions: ReadonlyMap<string, string | null>,
): Promise<Follower> {
  const raw = await rawConnection(port);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', {
    createConnection: () => raw,
  });
  const cursors = new Map<string, Item[]>([...subscriptions.keys()].map((id) => [id, []]));
  const closed = once(socket, 'close').then(([code]) => code as number);
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await once(socket, 'message');
  socket.on('message', (data: Buffer) => {
    const { id = '', type, payload } = JSON.parse(data.toString()) as Message;
    if (type === 'next' && payload?.data) cursors.get(id)?.push(payload.data.jobEvents);
    else throw new Error(data.toString());
  });
  for (const [id, after] of subscriptions)
    socket.send(JSON.stringify({ id, type: 'subscribe', payload: { query, variables: { after } } }));
  return { socket, raw, cursors, closed };
}

const ids = (count: number, after: string | null = null) =>
  new Map(Array.from({ length: count }, (_, index) => [`${index}`, after]));

const cursorsOf = (items: readonly Item[] = []) => items.map(({ cursor }) => cursor);

/** Resolves when a client that does not read has stopped the server: nothing more is made for it. */
async function stalled(sockets: ReadonlySet<Socket>, inMaking: () => number): Promise<void> {
  let last = -1;
  let sinceMs = performance.now();
  await until(() => {
    const unsent = [...sockets].reduce((sum, { writableLength }) => sum + writableLength, 0);
    if (unsent !== last || inMaking() > 0) sinceMs = performance.now();
    last = unsent;
    return unsent > 0 && performance.now() - sinceMs > 200;
  });
}

describe('a websocket with many subscriptions that is not read', () => {
  it('holds less than 1 MB, disturbs nobody, and later gets everything in order from the log', async () => {
    const feeds = watchFeeds();
    const { port, url } = await startApiServer(api);
    const sockets = watchServerSockets();
    const slow = await follow(port, LARGE, ids(SUBSCRIPTIONS));
    await until(() => feeds.opened() === SUBSCRIPTIONS);
    const held = watchHeldBytes(sockets, feeds.inMaking);
    slow.raw.pause();
    const start = await tip();
    for (let round = 0; round < 3; round += 1) await append(6);
    await stalled(sockets, feeds.inMaking);

    const quick = wsClient(url);
    const feed = quick.subscribe<{ jobEvents: Item }>(SMALL);
    await until(() => feeds.opened() === SUBSCRIPTIONS + 1);
    const quickStart = await tip();
    for (let round = 0; round < 5; round += 1) await append(4);
    await until(() => feed.all.length === 20);
    expect(feed.all.map(({ data }) => data?.jobEvents.cursor)).toEqual(await cursorsBehind(quickStart));
    await quick.close();

    slow.raw.resume();
    const expected = await cursorsBehind(start);
    expect(expected).toHaveLength(38);
    await until(() => [...slow.cursors.values()].every((items) => items.length === expected.length));
    for (const items of slow.cursors.values()) expect(cursorsOf(items)).toEqual(expected);
    expect(held()).toBeLessThanOrEqual(MOST_HELD_BYTES);
  });

  it('holds no more with results that are much larger, the first ones included', async () => {
    const feeds = watchFeeds();
    const { port } = await startApiServer(api);
    const sockets = watchServerSockets();
    const largerBytes = 250_000;
    await api.pool.query('UPDATE jobs SET body = $1', [JSON.stringify('x'.repeat(largerBytes))]);
    const slow = await follow(port, LARGE, ids(SUBSCRIPTIONS));
    await until(() => feeds.opened() === SUBSCRIPTIONS);
    const held = watchHeldBytes(sockets, feeds.inMaking, largerBytes);
    slow.raw.pause();
    const start = await tip();
    for (let round = 0; round < 3; round += 1) await append(2);
    await stalled(sockets, feeds.inMaking);

    slow.raw.resume();
    const expected = await cursorsBehind(start);
    await until(() => [...slow.cursors.values()].every((items) => items.length === expected.length));
    for (const items of slow.cursors.values()) expect(cursorsOf(items)).toEqual(expected);
    expect(held()).toBeLessThanOrEqual(MOST_HELD_BYTES);
  });

  it('is closed with 1013 after a while, and its subscriptions end', async () => {
    const feeds = watchFeeds();
    const { port, logged } = await startApiServer(api, { slowReaderTimeoutMs: 250 });
    const slow = await follow(port, LARGE, ids(SUBSCRIPTIONS));
    await until(() => feeds.opened() === SUBSCRIPTIONS);
    slow.raw.pause();
    for (let round = 0; round < 2; round += 1) await append(6);
    await until(() => logged('Websocket client does not read and is disconnected').length === 1);
    slow.raw.resume();
    expect(await slow.closed).toBe(1013);
    await until(() => logged('Websocket closed').length > 0);
    expect(logged('Websocket closed')[0]?.fields).toMatchObject({ code: 1013, operations: SUBSCRIPTIONS });
  });
});

/** Asks for an event stream by hand. */
async function openStream(port: number, query: string): Promise<{ raw: Socket; cursors: () => string[] }> {
  const raw = await rawConnection(port);
  let received = 0;
  let text = '';
  raw.setEncoding('utf8').on('data', (chunk: string) => {
    received += chunk.length;
    // The fillers are dropped as they come: what is looked for stands between them.
    text += chunk.replaceAll(/x{10,}/g, '');
  });
  const path = `/graphql?query=${encodeURIComponent(query)}`;
  raw.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
  await until(() => received > 0);
  return { raw, cursors: () => [...text.matchAll(/"cursor":"([^"]+)"/g)].map(([, cursor = '']) => cursor) };
}

describe('an event stream that is not read', () => {
  it('holds two results at most, disturbs nobody, and later gets everything in order from the log', async () => {
    const feeds = watchFeeds();
    const { port, url } = await startApiServer(api);
    const sockets = watchServerSockets();
    const slow = await Promise.all(Array.from({ length: 2 }, () => openStream(port, LARGE)));
    const held = watchHeldBytes(sockets, feeds.inMaking);
    for (const { raw } of slow) raw.pause();
    const start = await tip();
    // More than the kernels take in of 20 KB each.
    for (let round = 0; round < 40; round += 1) await append(10);
    await stalled(sockets, feeds.inMaking);

    const quick = await sseClient<{ jobEvents: Item }>(url, SMALL);
    await until(() => feeds.opened() === slow.length + 1);
    const quickStart = await tip();
    await append(6);
    await until(() => quick.all.length === 6);
    expect(quick.all.map(({ data }) => data?.jobEvents.cursor)).toEqual(await cursorsBehind(quickStart));
    quick.close();

    for (const { raw } of slow) raw.resume();
    const expected = await cursorsBehind(start);
    expect(expected).toHaveLength(406);
    await until(() => slow.every(({ cursors }) => cursors().length === expected.length));
    for (const { cursors } of slow) expect(cursors()).toEqual(expected);
    expect(held()).toBeLessThanOrEqual(slow.length * 3 * RESULT_BYTES);
  });

  it('is ended after a while', async () => {
    const { port } = await startApiServer(api, { slowReaderTimeoutMs: 250 });
    const sockets = watchServerSockets();
    const { raw } = await openStream(port, LARGE);
    expect(sockets.size).toBe(1);
    raw.pause();
    for (let round = 0; round < 40; round += 1) await append(10);
    await until(() => sockets.size === 0);
  });
});

describe('an answer that is not read', () => {
  /** As many bodies as one answer may hold. */
  const JOBS = 50;
  const REQUESTS = 16;
  const request = (query: string) => {
    const path = `/graphql?query=${encodeURIComponent(query)}`;
    return `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n`;
  };
  const LARGE_LIST = request(`{ jobs(first: ${JOBS}) { nodes { body } } }`);

  beforeEach(async () => {
    const body = JSON.stringify('x'.repeat(RESULT_BYTES));
    await Promise.all(Array.from({ length: JOBS }, () => insertJob(api.pool, { body })));
  });

  it('is cut off after a while', async () => {
    const { port } = await startApiServer(api, { slowReaderTimeoutMs: 250 });
    const sockets = watchServerSockets();
    // At each turn of the event loop: it may stand so long that a look now and then would miss all of the wait.
    const held = watchHeldBytes(sockets, () => 0);
    const raw = await rawConnection(port);
    raw.pause();
    // More than the kernels take in.
    raw.write(LARGE_LIST.repeat(REQUESTS));
    await until(() => held() > RESULT_BYTES && sockets.size === 0);
  });

  it('goes on while it is read at all, and its connection is kept', async () => {
    const slowReaderTimeoutMs = 250;
    const { port } = await startApiServer(api, { slowReaderTimeoutMs });
    const sockets = watchServerSockets();
    const raw = await rawConnection(port);
    let received = 0;
    let restAt = 0;
    let text = '';
    raw.setEncoding('utf8').on('data', (chunk: string) => {
      received += chunk.length;
      text = (text + chunk).slice(-1_000);
      if (received < restAt) return;
      // A rest that is short, after each of so many parts that all of them take longer than one may.
      restAt = received + (REQUESTS * JOBS * RESULT_BYTES) / 16;
      raw.pause();
      setTimeout(() => raw.resume(), slowReaderTimeoutMs / 5);
    });
    raw.write(LARGE_LIST.repeat(REQUESTS));
    await until(() => received > REQUESTS * JOBS * RESULT_BYTES);
    const idleMs = performance.now();
    await until(() => performance.now() - idleMs > 2 * slowReaderTimeoutMs);
    raw.write(request('{ __typename }'));
    await until(() => text.endsWith('{"data":{"__typename":"Query"}}'));
    expect(sockets.size).toBe(1);
  });
});

describe('200 subscribers that keep losing their sockets', () => {
  it('each get every event once and in order while events are written', async () => {
    const { port } = await startApiServer(api);
    const start = await tip();
    const { epoch } = await readEventLogState(api.pool);
    const from = encodeCursor({ epoch, position: start });
    const EVENTS = 60;
    const isDone = (items: readonly Item[]) => items.length >= EVENTS;

    /** A client with 50 subscriptions, whose connection breaks again and again somewhere on the way. */
    async function client(number: number): Promise<Item[][]> {
      const got = new Map<string, Item[]>([...ids(50, from).keys()].map((id) => [id, []]));
      for (let attempt = 1; ; attempt += 1) {
        const left = [...got].filter(([, items]) => !isDone(items));
        if (left.length === 0) return [...got.values()];
        const afters = new Map(left.map(([id, items]) => [id, items.at(-1)?.cursor ?? from]));
        const { raw, socket, cursors } = await follow(port, SMALL, afters);
        const cutAt = attempt * 60 * (number + 1);
        const received = () => [...cursors.values()].reduce((sum, items) => sum + items.length, 0);
        const hasAll = () => [...cursors].every(([id, items]) => isDone([...(got.get(id) ?? []), ...items]));
        await until(() => received() >= cutAt || hasAll());
        raw.resetAndDestroy();
        socket.terminate();
        for (const [id, items] of cursors) got.get(id)?.push(...items);
      }
    }

    const clients = [0, 1, 2, 3].map(client);
    for (let written = 0; written < EVENTS; written += 3) await append(3);
    const expected = await cursorsBehind(start);
    expect(expected).toHaveLength(EVENTS);
    for (const subscribers of await Promise.all(clients)) {
      expect(subscribers).toHaveLength(50);
      for (const items of subscribers) expect(cursorsOf(items)).toEqual(expected);
    }
  });
});
