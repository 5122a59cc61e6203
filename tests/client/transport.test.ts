import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import { WatchExecutionsDocument, WatchLogDocument } from '../../client/src/generated/graphql.ts';
import {
  createTransport,
  type Operation,
  type SubscribeOptions,
  type Transport,
  type TransportOptions,
} from '../../client/src/transport.ts';
import { asyncQueue } from '../support/async-queue.ts';
import { startScriptedServer, type ScriptedServer } from './scripted-server.ts';

const EVENT = { __typename: 'ExecutionEvent' };
const gap = (toCursor: string) => ({ __typename: 'FeedGap', reason: 'CURSOR_EXPIRED', toCursor });
const INTERNAL = { message: 'Internal error', extensions: { code: 'INTERNAL_ERROR' } };
const UNAVAILABLE = { message: 'The database is away', extensions: { code: 'UNAVAILABLE' } };

function transportTo(url: string, options: Partial<TransportOptions> = {}): Transport {
  // A connection counts as stable after the longest delay. That must be longer than a busy machine takes to connect.
  const backoff = { initialDelayMs: 1, maxDelayMs: 5_000 };
  const transport = createTransport({ url, webSocket: WebSocket, backoff, ...options });
  onTestFinished(transport.close);
  return transport;
}

/** Subscribes and records the results. */
function watch<Data, Variables>(
  transport: Transport,
  operation: Operation<Data, Variables>,
  options: SubscribeOptions = {},
) {
  const results = asyncQueue<unknown>('result');
  const begun = asyncQueue<string>('begin of the feed');
  const endings = asyncQueue<unknown>('end of the subscription');
  const stop = transport.subscribe<Data, Variables>(
    operation,
    {
      next: results.push,
      error: endings.push,
      complete: () => {
        endings.push('complete');
      },
    },
    { onBegun: begun.push, ...options },
  );
  return { results, begun, endings, stop };
}

const executions = (variables: object = {}) => ({ query: WatchExecutionsDocument, variables });
const told = (item: object) => ({ data: { executionEvents: item } });

/** An open feed whose first connection is at `first`. */
async function begunFeed(server: ScriptedServer, options?: Partial<TransportOptions>) {
  const transport = transportTo(server.url, options);
  const feed = watch(transport, executions());
  const first = await server.subscribed.next();
  first.item(gap('begin'));
  await feed.begun.next();
  return { ...feed, transport, first };
}

describe('a feed', () => {
  it('first asks for its position, which is not passed on as an event', async () => {
    const server = await startScriptedServer();
    const feed = watch(transportTo(server.url), executions({ where: { status: ['FAILED'] } }));
    const first = await server.subscribed.next();
    expect(first.variables).toEqual({ where: { status: ['FAILED'] }, after: 'now' });
    first.item(gap('begin'));
    first.item({ ...EVENT, cursor: 'a' });
    expect(await feed.results.next()).toEqual(told({ ...EVENT, cursor: 'a' }));
    expect(feed.begun.all).toEqual(['begin']);
  });

  it('resumes at its start when it breaks before its first event', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    feed.first.close();
    expect((await server.subscribed.next()).variables).toEqual({ after: 'begin' });
  });

  it('starts behind a cursor of the application', async () => {
    const server = await startScriptedServer();
    const feed = watch(transportTo(server.url), executions({ after: 'mine' }));
    const first = await server.subscribed.next();
    expect(first.variables).toEqual({ after: 'mine' });
    first.item(gap('later'));
    expect(await feed.results.next()).toEqual(told(gap('later')));
    expect(feed.begun.all).toEqual([]);
  });

  it.each([undefined, 1000, 1001, 1011, 1012, 1013, 4004, 4408, 4500])(
    'resumes behind the last event when its connection ends with %s',
    async (code) => {
      const server = await startScriptedServer();
      const feed = await begunFeed(server);
      feed.first.item({ ...EVENT, cursor: 'a' });
      feed.first.item({ ...EVENT, cursor: 'b' });
      await feed.results.nextWhere((result) => JSON.stringify(result).includes('"b"'));
      feed.first.close(code);
      const second = await server.subscribed.next();
      expect(second.variables).toEqual({ after: 'b' });
      second.item({ ...EVENT, cursor: 'c' });
      expect(await feed.results.next()).toEqual(told({ ...EVENT, cursor: 'c' }));
      expect(feed.endings.all).toEqual([]);
    },
  );

  it('passes on a gap, and continues behind it', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    feed.first.item(gap('behind'));
    expect(await feed.results.next()).toEqual(told(gap('behind')));
    feed.first.close();
    expect((await server.subscribed.next()).variables).toEqual({ after: 'behind' });
  });

  it('finds its cursor under any alias in the document', async () => {
    const server = await startScriptedServer();
    const query = /* GraphQL */ `
      subscription ($from: String) {
        moves: executionEvents(after: $from) {
          ...Parts
        }
      }
      fragment Parts on ExecutionFeedItem {
        ... on ExecutionEvent {
          place: cursor
        }
        ... on FeedGap {
          next: toCursor
        }
      }
    `;
    const feed = watch(transportTo(server.url), { query });
    const first = await server.subscribed.next();
    expect(first.variables).toEqual({ from: 'now' });
    first.next({ data: { moves: { next: 'begin' } } });
    expect(await feed.begun.next()).toBe('begin');
    first.next({ data: { moves: { place: 'a' } } });
    await feed.results.next();
    first.close();
    expect((await server.subscribed.next()).variables).toEqual({ from: 'a' });
  });

  it('is retried while the server’s database is away', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    feed.first.close();
    for (let times = 0; times < 8; times += 1) (await server.subscribed.next()).error(UNAVAILABLE);
    const last = await server.subscribed.next();
    expect(last.variables).toEqual({ after: 'begin' });
    expect(feed.endings.all).toEqual([]);
  });

  it('ends with the error of a server that fails to start it again and again', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    feed.first.close();
    for (let times = 0; times < 4; times += 1) (await server.subscribed.next()).error(INTERNAL);
    expect(await feed.endings.next()).toEqual([INTERNAL]);
  });

  it('resets its failure count after a stable connection, also when that sent no event', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    feed.first.close();
    for (let times = 0; times < 8; times += 1) {
      const quiet = await server.subscribed.next();
      vi.setSystemTime(Date.now() + 60_000);
      quiet.error(INTERNAL);
    }
    for (let times = 0; times < 2; times += 1) (await server.subscribed.next()).error(INTERNAL);
    expect(feed.endings.all).toEqual([]);
    (await server.subscribed.next()).error(INTERNAL);
    expect(await feed.endings.next()).toEqual([INTERNAL]);
  });

  it('resets a refused token after a stable connection, too', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    let last = feed.first;
    for (let times = 0; times < 3; times += 1) {
      vi.setSystemTime(Date.now() + 60_000);
      last.close(4403);
      last = await server.subscribed.next();
      expect(last.variables).toEqual({ after: 'begin' });
    }
    expect(feed.endings.all).toEqual([]);
  });

  it('ends with the errors of a server that refuses it', async () => {
    const server = await startScriptedServer();
    const feed = watch(transportTo(server.url), executions());
    const refusal = { message: 'No such field', extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } };
    (await server.subscribed.next()).error(refusal);
    expect(await feed.endings.next()).toEqual([refusal]);
  });

  it('requests again an event that the server failed to send', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    feed.first.item({ ...EVENT, cursor: 'a' });
    feed.first.next({ data: null, errors: [INTERNAL] });
    // The server had sent it before the client asked again. It does not count.
    feed.first.item({ ...EVENT, cursor: 'c' });
    const second = await server.subscribed.next();
    expect(second.variables).toEqual({ after: 'a' });
    second.item({ ...EVENT, cursor: 'b' });
    second.item({ ...EVENT, cursor: 'c' });
    await feed.results.nextWhere((result) => JSON.stringify(result).includes('"c"'));
    expect(feed.results.all).toEqual(['a', 'b', 'c'].map((cursor) => told({ ...EVENT, cursor })));
  });

  it('passes on the error of an event that can never be sent, and the events behind it', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    const failed = { data: null, errors: [INTERNAL] };
    feed.first.next(failed);
    for (let redos = 1; redos <= 3; redos += 1) {
      const again = await server.subscribed.next();
      expect(again.variables).toEqual({ after: 'begin' });
      again.next(failed);
      if (redos === 3) again.item({ ...EVENT, cursor: 'b' });
    }
    expect(await feed.results.next()).toEqual(failed);
    expect(await feed.results.next()).toEqual(told({ ...EVENT, cursor: 'b' }));
  });

  it('is requested again when a server completes it, because only a log can be complete', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    feed.first.complete();
    expect((await server.subscribed.next()).variables).toEqual({ after: 'begin' });

    const log = watch(feed.transport, { query: WatchLogDocument, variables: { executionId: 'exec_1' } });
    (await server.subscribed.next()).complete();
    expect(await log.endings.next()).toBe('complete');
  });

  it('does not start when the document cannot resume, unless the caller allows it', async () => {
    const server = await startScriptedServer();
    const transport = transportTo(server.url);
    const query = 'subscription Deaf { executionEvents { __typename } }';
    const refused = watch(transport, { query });
    expect(String(await refused.endings.next())).toMatch(/Deaf could lose events.*resume: false/);

    const lossy = watch(transport, { query }, { resume: false });
    const first = await server.subscribed.next();
    expect(first.variables).toEqual({});
    first.item({ __typename: 'ExecutionEvent' });
    expect(await lossy.results.next()).toEqual(told(EVENT));
    first.close();
    expect((await server.subscribed.next()).variables).toEqual({});
  });
});

describe('a subscription', () => {
  it('that is not a feed is requested again', async () => {
    const server = await startScriptedServer();
    const query = 'subscription ($intervalMs: Int) { systemMetrics(intervalMs: $intervalMs) { totalJobs } }';
    const figures = watch(transportTo(server.url), { query, variables: { intervalMs: 250 } });
    (await server.subscribed.next()).close();
    const second = await server.subscribed.next();
    expect(second.variables).toEqual({ intervalMs: 250 });
    second.next({ data: { systemMetrics: { totalJobs: 3 } } });
    expect(await figures.results.next()).toEqual({ data: { systemMetrics: { totalJobs: 3 } } });
  });

  it('that was ended receives nothing more, and the server is notified', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    feed.stop();
    await server.ended.next();
    feed.first.item({ ...EVENT, cursor: 'a' });
    feed.first.close();
    const other = watch(feed.transport, executions());
    (await server.subscribed.next()).item(gap('begin'));
    await other.begun.next();
    expect(feed.results.all).toEqual([]);
    expect(feed.endings.all).toEqual([]);
    expect(server.subscribed.all).toHaveLength(2);
  });

  it('is complete when its transport is closed', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    feed.transport.close();
    expect(await feed.endings.next()).toBe('complete');
  });

  it('shares its connection, and reconnects with the others', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server);
    watch(feed.transport, { query: WatchLogDocument, variables: { executionId: 'exec_1', after: 'l' } });
    await server.subscribed.next();
    feed.first.close();
    const again = [await server.subscribed.next(), await server.subscribed.next()];
    expect(again.map(({ variables }) => variables['after']).sort()).toEqual(['begin', 'l']);
    expect(server.inits.all).toHaveLength(2);
  });
});

describe('the connection', () => {
  it('sends a fresh token each time, as requests do', async () => {
    const server = await startScriptedServer();
    let tokens = 0;
    const token = () => Promise.resolve(`t${(tokens += 1)}`);
    const { first, transport } = await begunFeed(server, { token });
    first.close();
    await server.subscribed.next();
    expect(server.inits.all).toEqual([{ authorization: 'Bearer t1' }, { authorization: 'Bearer t2' }]);
    await transport.fetch(server.url);
    expect(await server.requests.next()).toMatchObject({ authorization: 'Bearer t3' });
  });

  it('sends no authorization without a token', async () => {
    const server = await startScriptedServer();
    const { transport } = await begunFeed(server, { token: () => null });
    expect(server.inits.all).toEqual([{}]);
    await transport.fetch(server.url, { headers: { 'X-Own': 'kept' } });
    const headers = await server.requests.next();
    expect(headers).toMatchObject({ 'x-own': 'kept' });
    expect(headers).not.toHaveProperty('authorization');
  });

  it('is retried when the token is unavailable, and once when it is refused', async () => {
    const server = await startScriptedServer();
    const answers = [new Error('The token service is away'), 'stale', 'fresh', 'bad', 'worse'];
    const token = () => {
      const answer = answers.shift() ?? null;
      if (answer instanceof Error) throw answer;
      return answer;
    };
    server.refuseWith(4403);
    const feed = watch(transportTo(server.url, { token }), executions());
    expect(await server.inits.next()).toEqual({ authorization: 'Bearer stale' });
    server.refuseWith(null);
    const first = await server.subscribed.next();
    first.item(gap('begin'));
    await feed.begun.next();
    server.refuseWith(4401);
    first.close();
    expect(String(await feed.endings.next())).toBe(
      'Error: The connection was closed with code 4401: Refused',
    );
    expect(server.inits.all).toHaveLength(4);
  });

  it('needs no WebSocket before the first subscription', async () => {
    const server = await startScriptedServer();
    const transport = createTransport({ url: server.url, token: () => 't' });
    await transport.fetch(server.url);
    expect(await server.requests.next()).toMatchObject({ authorization: 'Bearer t' });
    const platform = globalThis as { WebSocket?: unknown };
    if (!platform.WebSocket)
      expect(() => watch(transport, executions())).toThrow(/There is no WebSocket here: pass `webSocket`/);
    transport.close();
  });

  it('is closed when the server is silent, and a new connection continues', async () => {
    const server = await startScriptedServer();
    const feed = await begunFeed(server, { keepAliveMs: 20, answerTimeoutMs: 200 });
    server.answerPings(false);
    const second = await server.subscribed.next();
    server.answerPings(true);
    expect(second.variables).toEqual({ after: 'begin' });
    second.item({ ...EVENT, cursor: 'a' });
    expect(await feed.results.next()).toEqual(told({ ...EVENT, cursor: 'a' }));
  });

  it('is closed when the server does not accept it', async () => {
    const server = await startScriptedServer();
    server.acceptConnections(false);
    const feed = watch(transportTo(server.url, { answerTimeoutMs: 50 }), executions());
    await server.inits.next();
    await server.inits.next();
    server.acceptConnections(true);
    (await server.subscribed.next()).item(gap('begin'));
    expect(await feed.begun.next()).toBe('begin');
  });

  it('is closed when the server does not answer its handshake', async () => {
    const opened = asyncQueue<Socket>('connection');
    const mute = createServer(opened.push).listen(0, '127.0.0.1');
    await once(mute, 'listening');
    onTestFinished(() => {
      mute.close();
      for (const socket of opened.all) socket.destroy();
    });
    const url = `http://127.0.0.1:${(mute.address() as AddressInfo).port}/graphql`;
    watch(transportTo(url, { answerTimeoutMs: 50 }), executions());
    await opened.next();
    await opened.next();
    expect(opened.all.length).toBeGreaterThan(1);
  });

  it('reports its status', async () => {
    const server = await startScriptedServer();
    const states = asyncQueue<string>('state of the connection');
    const breaks = asyncQueue<unknown>('break');
    const feed = await begunFeed(server, { onConnectionChange: states.push, onBreak: breaks.push });
    feed.first.close(1012);
    await server.subscribed.next();
    feed.stop();
    expect(states.all).toEqual(['connecting', 'connected', 'connecting', 'connected', 'idle']);
    expect(breaks.all).toMatchObject([{ code: 1012 }]);
  });
});
