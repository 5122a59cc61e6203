import type { Socket } from 'node:net';
import { GraphQLInt, GraphQLObjectType, GraphQLSchema, GraphQLString } from 'graphql';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { longestBytes } from '../../src/graphql/answer-sizes.ts';
import { post, wsClient } from '../support/graphql-clients.ts';
import { rawConnection, watchServerSockets } from '../support/raw-connections.ts';
import { until } from '../support/until.ts';
import { startTestServer, type TestServer } from './test-server.ts';

/** More than the kernels of both ends take in of one connection. */
const LARGE_BYTES = 8_000_000;
/** With what stands around the text. */
const MAX_BYTES = LARGE_BYTES + 1_000;
/** So many of them are in flight at once. */
const AT_ONCE = 4;
const WAIT_MS = 300;

const LARGE = '{ large }';
const SMALL = '{ small }';
const FEED = 'subscription { largeTick }';

const REFUSED = {
  errors: [
    {
      message:
        'The answers in flight may hold 32004000 bytes together (4 times MAX_ANSWER_BYTES), and no room came within 0.3 s: try again, or ask for less.',
      extensions: { code: 'TOO_MANY_OPERATIONS' },
    },
  ],
};

type Heavy = TestServer & {
  /** How often `large` was made. */
  made: () => number;
  /** Makes a result for each subscription of `largeTick`. */
  tick: () => void;
};

async function serve(waitMs = WAIT_MS): Promise<Heavy> {
  let made = 0;
  let tick = (): void => undefined;
  const ticked = new Promise<void>((resolve) => (tick = resolve));
  const large = () => {
    made += 1;
    return 'x'.repeat(LARGE_BYTES);
  };
  const extensions = longestBytes(LARGE_BYTES);
  const schema = new GraphQLSchema({
    query: new GraphQLObjectType({
      name: 'Query',
      fields: {
        large: { type: GraphQLString, extensions, resolve: large },
        /** May be as large, and is not. */
        seldomLarge: { type: GraphQLString, extensions, resolve: () => 'x' },
        small: { type: GraphQLInt, resolve: () => 1 },
      },
    }),
    subscription: new GraphQLObjectType({
      name: 'Subscription',
      fields: {
        largeTick: {
          type: GraphQLString,
          extensions,
          subscribe: async function* () {
            await ticked;
            yield {};
          },
          resolve: large,
        },
      },
    }),
  });
  const server = await startTestServer({
    schema,
    maxAnswerBytes: MAX_BYTES,
    heavyAnswerWaitMs: waitMs,
  });
  return { ...server, made: () => made, tick };
}

/** Has the answer come as it is: to compress so much would take most of the time. */
const ask = (url: string, query: string) => post(url, query, {}, { 'Accept-Encoding': 'identity' });

/** A client over HTTP that asks and reads nothing. */
async function askUnread(port: number, query: string, accept = 'application/json'): Promise<Socket> {
  const raw = await rawConnection(port);
  raw.pause();
  raw.write(
    `GET /graphql?query=${encodeURIComponent(query)} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n\r\n`,
  );
  return raw;
}

/** A client over a websocket that asks and reads nothing. */
async function askUnreadByWebsocket(port: number, query: string): Promise<Socket> {
  const raw = await rawConnection(port);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/graphql`, 'graphql-transport-ws', {
    createConnection: () => raw,
  });
  onTestFinished(() => {
    socket.terminate();
  });
  await new Promise((resolve) => socket.once('open', resolve));
  socket.send('{"type":"connection_init"}');
  await new Promise((resolve) => socket.once('message', resolve));
  raw.pause();
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  return raw;
}

/** Of the large text in an answer, which no failing test should print; null where there is none. */
function lengthIn({ data }: { data?: Record<string, unknown> | null }): number | null {
  const [text] = Object.values(data ?? {});
  return typeof text === 'string' ? text.length : null;
}

const fourTimes = <T>(work: () => Promise<T>) => Promise.all(Array.from({ length: AT_ONCE }, work));

const UNREAD = [
  ['over HTTP', ({ port }: Heavy) => askUnread(port, LARGE)],
  ['over websockets', ({ port }: Heavy) => askUnreadByWebsocket(port, LARGE)],
  ['as results of event streams', ({ port }: Heavy) => askUnread(port, FEED, 'text/event-stream')],
  ['as results of subscriptions', ({ port }: Heavy) => askUnreadByWebsocket(port, FEED)],
] as const;

describe('Answers that may be large', () => {
  it.each(UNREAD)(
    'wait for their turn while others %s fill the room, and are then refused',
    async (_how, askWithoutReading) => {
      const heavy = await serve();
      const { url, made } = heavy;
      const unread = await fourTimes(() => askWithoutReading(heavy));
      heavy.tick();
      await until(() => made() === AT_ONCE);

      const client = wsClient(url);
      // Small ones are answered while the others wait.
      const [overHttp, overWebsocket, ...small] = await Promise.all([
        ask(url, LARGE),
        client.subscribe(LARGE).next(),
        ask(url, SMALL).then(({ body }) => body),
        client.subscribe(SMALL).next(),
      ]);
      expect(small).toEqual([{ data: { small: 1 } }, { data: { small: 1 } }]);
      expect(lengthIn(overHttp.body)).toBeNull();
      expect(lengthIn(overWebsocket)).toBeNull();
      expect([overHttp.status, overHttp.headers.get('retry-after'), overHttp.body]).toEqual([
        503,
        '5',
        REFUSED,
      ]);
      expect(overWebsocket).toEqual(REFUSED);
      expect(made()).toBe(AT_ONCE);

      // Whoever leaves makes room, and so does whoever reads.
      unread[0]?.destroy();
      expect(lengthIn((await ask(url, LARGE)).body)).toBe(LARGE_BYTES);
      unread[1]?.resume();
      await until(async () => (await ask(url, LARGE)).status === 200);
      expect(lengthIn(await client.subscribe(LARGE).next())).toBe(LARGE_BYTES);
      await client.close();
    },
  );

  it('make room once it is known that they are small', async () => {
    const { url, port, made } = await serve();
    await fourTimes(() => askUnread(port, '{ seldomLarge }'));
    await fourTimes(() => askUnreadByWebsocket(port, '{ seldomLarge }'));
    expect((await ask(url, LARGE)).status).toBe(200);
    expect(made()).toBe(1);
  });

  it('are not made for a client that left while it waited', async () => {
    const { url, port, made, logged } = await serve(60_000);
    const unread = await fourTimes(() => askUnread(port, LARGE));
    await until(() => made() === AT_ONCE);
    const leaving = await askUnread(port, LARGE);
    const client = wsClient(url);
    const feed = client.subscribe(LARGE);
    await client.subscribe(SMALL).next();
    leaving.destroy();
    feed.close();
    await until(() => logged('Request answered').length === 1);
    for (const raw of unread) raw.destroy();
    expect((await ask(url, LARGE)).status).toBe(200);
    expect(made()).toBe(AT_ONCE + 1);
    await client.close();
  });

  it('reach each of twelve clients that ask at once, and few of them are held at a time', async () => {
    const { url } = await serve(60_000);
    const sockets = watchServerSockets();
    let most = 0;
    let isOver = false;
    const look = () => {
      most = Math.max(
        most,
        [...sockets].reduce((sum, { writableLength }) => sum + writableLength, 0),
      );
      if (!isOver) setImmediate(look);
    };
    look();
    const clients = Array.from({ length: 4 }, () => wsClient(url));
    const answers = await Promise.all([
      ...Array.from({ length: 8 }, async () => (await ask(url, LARGE)).body),
      ...clients.map((client) => client.subscribe(LARGE).next()),
    ]);
    isOver = true;
    expect(answers.map(lengthIn)).toEqual(answers.map(() => LARGE_BYTES));
    expect(most).toBeLessThanOrEqual(AT_ONCE * (LARGE_BYTES + 1_000));
    await Promise.all(clients.map((client) => client.close()));
  }, 60_000);

  it('reach subscribers one after the other, none of them refused', async () => {
    const { url, port, tick } = await serve();
    const client = wsClient(url);
    const feeds = Array.from({ length: 6 }, () => client.subscribe(FEED));
    const streams = await Promise.all(
      Array.from({ length: 6 }, () => askUnread(port, FEED, 'text/event-stream')),
    );
    const received = streams.map((stream) => {
      let bytes = 0;
      stream.on('data', (chunk: Buffer) => (bytes += chunk.length)).resume();
      return () => bytes;
    });
    await client.subscribe(SMALL).next();
    tick();
    for (const feed of feeds) expect(lengthIn(await feed.next())).toBe(LARGE_BYTES);
    await until(() => received.every((bytes) => bytes() > LARGE_BYTES));
    await client.close();
  });
});
