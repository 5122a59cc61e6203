import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { json } from 'node:stream/consumers';
import { createClient } from 'graphql-ws';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { wsClient } from '../support/graphql-clients.ts';
import { until } from '../support/until.ts';
import { rawSocket, subscribe } from './raw-websocket.ts';
import { startTestServer } from './test-server.ts';

/** How the server answers an upgrade: the status of a refusal, or 101. */
async function upgradeStatus(
  url: string,
  headers: Record<string, string>,
  path = '/graphql',
): Promise<number> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, 'graphql-transport-ws', { headers });
  socket.on('error', () => undefined);
  return await new Promise((resolve) => {
    socket.once('open', () => {
      resolve(101);
      socket.terminate();
    });
    socket.once('unexpected-response', (_request, response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
  });
}

/** A subscribe message with this payload, whatever it is. */
function subscribeText(payload: unknown): string {
  return JSON.stringify({ id: 'a', type: 'subscribe', payload });
}

/** The status and the body with which the server refuses an upgrade. */
async function refusedUpgrade(url: string, headers: Record<string, string>): Promise<[number, unknown]> {
  const { hostname, port } = new URL(url);
  const upgrade = {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
  };
  const request = get({ hostname, port, path: '/graphql', headers: { ...upgrade, ...headers } });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return [response.statusCode ?? 0, await json(response)];
}

/** The code and the reason with which the server closes a socket that it has accepted. */
async function closeOf(url: string, headers: Record<string, string>): Promise<[number, string]> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
  const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
  return [code, reason.toString()];
}

describe('GraphQL over a websocket', () => {
  it('delivers what a subscription tells, then ends it when the client does', async () => {
    const { url, ticks } = await startTestServer();
    const client = wsClient(url);
    const feed = client.subscribe('subscription { tick }');
    await until(() => ticks.pulled > 0);
    ticks.push('one');
    ticks.push('two');
    expect(await feed.next()).toEqual({ data: { tick: 'one' } });
    expect(await feed.next()).toEqual({ data: { tick: 'two' } });
    feed.close();
    await until(() => ticks.returned === 1);
    await client.close();
  });

  it('runs queries and mutations too', async () => {
    const { url, bumps } = await startTestServer();
    const client = wsClient(url);
    expect(await client.subscribe('{ hello }').next()).toEqual({ data: { hello: 'world' } });
    expect(await client.subscribe('mutation { bump }').next()).toEqual({ data: { bump: 1 } });
    expect(bumps()).toBe(1);
    await client.close();
  });

  it('gives each operation a request id of its own', async () => {
    const { url } = await startTestServer();
    const { messages, send } = await rawSocket(url, { 'X-Request-Id': 'page-7' });
    send(subscribe('a', '{ requestId }'));
    expect((await messages.nextWhere(({ type }) => type === 'next')).payload).toEqual({
      data: { requestId: 'page-7.1' },
    });
    send(subscribe('a', '{ requestId }'));
    expect((await messages.nextWhere(({ type }) => type === 'next')).payload).toEqual({
      data: { requestId: 'page-7.2' },
    });
  });

  it('ends the subscriptions of a client that vanishes', async () => {
    const { url, ticks } = await startTestServer();
    const { socket, send } = await rawSocket(url);
    send(subscribe('a', 'subscription { tick }'));
    send(subscribe('b', 'subscription { tick }'));
    await until(() => ticks.pulled === 2);
    socket.terminate();
    await until(() => ticks.returned === 2);
  });

  it.each([
    ['a syntax error', 'subscription { tick', {}, 'GRAPHQL_PARSE_FAILED'],
    ['a validation error', 'subscription { tock }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['no field at all', 'subscription { tick @skip(if: true) }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['levels without end', `{ ${'... { '.repeat(1_000)}`, {}, 'QUERY_LIMIT_EXCEEDED'],
    ['a query beyond the limits', `{ ${'hello '.repeat(3000)} }`, {}, 'QUERY_LIMIT_EXCEEDED'],
    ['an unclear operation', 'query A { hello } query B { hello }', {}, 'OPERATION_RESOLUTION_FAILURE'],
  ])(
    'answers %s alone, and the socket’s other subscriptions go on',
    async (_what, query, variables, code) => {
      const { url, ticks, log } = await startTestServer();
      const { socket, messages, send } = await rawSocket(url);
      send(subscribe('good', 'subscription { tick }'));
      await until(() => ticks.pulled > 0);
      send(subscribe('bad', query, variables));
      expect(await messages.next()).toMatchObject({
        id: 'bad',
        type: 'error',
        payload: [{ extensions: { code } }],
      });
      ticks.push('still here');
      expect(await messages.next()).toEqual({
        id: 'good',
        type: 'next',
        payload: { data: { tick: 'still here' } },
      });
      expect(socket.readyState).toBe(WebSocket.OPEN);
      expect(log.filter(({ level }) => level === 'error')).toEqual([]);
      // The same id may be used again.
      send(subscribe('bad', '{ hello }'));
      expect(await messages.next()).toMatchObject({ id: 'bad', type: 'next' });
    },
  );

  it('answers variables that nest too deep alone, and the others go on', async () => {
    const { url, ticks } = await startTestServer();
    const { messages, send } = await rawSocket(url);
    send(subscribe('good', 'subscription { tick }'));
    await until(() => ticks.pulled > 0);
    const v = JSON.parse('['.repeat(300) + ']'.repeat(300)) as unknown;
    send(subscribe('bad', '{ hello }', { v }));
    expect(await messages.next()).toEqual({
      id: 'bad',
      type: 'error',
      payload: [
        {
          message: 'The variables nest deeper than 200 levels.',
          extensions: { code: 'BAD_REQUEST' },
        },
      ],
    });
    ticks.push('still here');
    expect(await messages.next()).toMatchObject({ id: 'good', payload: { data: { tick: 'still here' } } });
    send(subscribe('bad', '{ hello }'));
    expect(await messages.next()).toMatchObject({ id: 'bad', type: 'next' });
  });

  it.each([
    ['that is no JSON', '{"type":', 'JSON object'],
    ['that is a list', '[]', 'JSON object'],
    ['that is null', 'null', 'JSON object'],
    ['without a type', '{"id":"a"}', 'type'],
    ['of an unknown type', '{"type":"start","id":"a"}', 'type'],
    ['that only a server sends', '{"type":"connection_ack"}', 'type'],
    ['that is a result', '{"type":"next","id":"a","payload":{"data":null}}', 'type'],
    ['that subscribes without an id', '{"type":"subscribe","payload":{"query":7}}', 'id'],
    ['that subscribes by a number', '{"type":"subscribe","id":1,"payload":{"query":"{ hello }"}}', 'id'],
    ['that subscribes by an empty id', '{"type":"subscribe","id":"","payload":{"query":"{ hello }"}}', 'id'],
    ['that subscribes without a payload', '{"type":"subscribe","id":"a"}', 'payload'],
    ['that subscribes with a list for a payload', subscribeText([]), 'payload'],
    ['that subscribes without a query', subscribeText({}), 'query'],
    ['that subscribes with a number for a query', subscribeText({ query: 7 }), 'query'],
    ['that subscribes with null for a query', subscribeText({ query: null }), 'query'],
    [
      'that subscribes with a list of variables',
      subscribeText({ query: '{ hello }', variables: [1] }),
      'variables',
    ],
    [
      'that subscribes with a text for variables',
      subscribeText({ query: '{ hello }', variables: '{}' }),
      'variables',
    ],
    [
      'that subscribes with a number for an operation name',
      subscribeText({ query: '{ hello }', operationName: 7 }),
      'operationName',
    ],
    [
      'that subscribes with a text for extensions',
      subscribeText({ query: '{ hello }', extensions: 'none' }),
      'extensions',
    ],
    ['that completes without an id', '{"type":"complete"}', 'id'],
    ['that pings with a number', '{"type":"ping","payload":1}', 'payload'],
    [
      'that pings with levels without end',
      `{"type":"ping","payload":{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}}`,
      'payload',
    ],
  ])('closes a socket on a message %s with 4400, and says why', async (_what, text, why) => {
    const { url, log } = await startTestServer();
    const { socket } = await rawSocket(url);
    socket.send(text);
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect([code, reason.toString()]).toEqual([4400, expect.stringContaining(why)]);
    expect(log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });

  it('closes a socket that subscribes twice by one id, with 4409', async () => {
    const { url, ticks, log } = await startTestServer();
    // Longer than the reason of a close can be, in letters of two units of UTF-16 and four bytes.
    for (const id of ['a', '𝒶'.repeat(60)]) {
      const { socket, send } = await rawSocket(url);
      const pulled = ticks.pulled;
      send(subscribe(id, 'subscription { tick }'));
      await until(() => ticks.pulled > pulled);
      send(subscribe(id, '{ hello }'));
      const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
      expect([code, reason.toString()]).toEqual([4409, expect.stringMatching(/^Subscriber for (a|𝒶+)/u)]);
    }
    expect(log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
  });

  it('closes a socket that subscribes before it is acknowledged with 4401', async () => {
    const { url } = await startTestServer();
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    await once(socket, 'open');
    socket.send(JSON.stringify(subscribe('a', '{ hello }')));
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(4401);
  });

  it('tells which variable is wrong', async () => {
    const { url } = await startTestServer();
    const { messages, send } = await rawSocket(url);
    send(subscribe('a', 'query ($v: Even!) { even(value: $v) }', { v: 3 }));
    expect(await messages.next()).toMatchObject({
      id: 'a',
      payload: {
        errors: [
          {
            message: expect.stringContaining('Even numbers only') as unknown,
            extensions: { code: 'BAD_USER_INPUT' },
          },
        ],
      },
    });
  });

  it.each(['include', 'skip'])('tells that what @%s depends on must not be null', async (directive) => {
    const { url, log } = await startTestServer();
    const { messages, send } = await rawSocket(url);
    send(subscribe('a', `query ($v: Boolean = true) { hello @${directive}(if: $v) }`, { v: null }));
    expect(await messages.next()).toMatchObject({
      id: 'a',
      payload: {
        errors: [
          {
            message: 'Argument "if" of non-null type "Boolean!" must not be null.',
            extensions: { code: 'BAD_USER_INPUT' },
          },
        ],
      },
    });
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it.each([
    ['when a field fails', '{ fault }'],
    ['when a subscription cannot start', 'subscription { faultAtStart }'],
  ])('hides an unexpected error %s', async (_when, query) => {
    const { url, logged } = await startTestServer();
    const { messages, send } = await rawSocket(url);
    send(subscribe('a', query));
    const { payload } = await messages.next();
    const [line] = logged('Unexpected error while answering a request');
    expect(payload).toMatchObject({
      errors: [
        {
          message: 'Internal error',
          extensions: { code: 'INTERNAL_ERROR', errorId: line?.fields['errorId'] },
        },
      ],
    });
    expect(JSON.stringify(payload)).not.toMatch(/secrets|10\.0\.0\.7|"http"/);
  });

  it('hides an unexpected error in the middle of a subscription, which ends it alone', async () => {
    const { url, ticks, flood, logged } = await startTestServer();
    const { messages, send } = await rawSocket(url);
    send(subscribe('a', 'subscription { tick }'));
    await until(() => ticks.pulled > 0);
    ticks.fail(new Error('connection to 10.0.0.7 lost'));
    expect(await messages.next()).toMatchObject({
      id: 'a',
      type: 'error',
      payload: [{ message: 'Internal error', extensions: { code: 'INTERNAL_ERROR' } }],
    });
    expect(logged('Unexpected error while answering a request')).toHaveLength(1);
    send(subscribe('b', '{ hello }'));
    expect(await messages.next()).toMatchObject({ id: 'b', type: 'next' });
    expect(flood.subscribed).toBe(0);
  });

  it('hides why the context could not be made, and keeps the socket', async () => {
    let healthy = false;
    const { url } = await startTestServer({
      createContext: () => (healthy ? {} : Promise.reject(new Error('password of admin is wrong'))),
    });
    const { messages, send } = await rawSocket(url);
    send(subscribe('a', '{ hello }'));
    expect(await messages.next()).toMatchObject({
      id: 'a',
      type: 'error',
      payload: [{ message: 'Internal error' }],
    });
    healthy = true;
    send(subscribe('b', '{ hello }'));
    expect(await messages.next()).toMatchObject({
      id: 'b',
      type: 'next',
      payload: { data: { hello: 'world' } },
    });
  });

  it('answers a 201st operation at once with an error of its own', async () => {
    const { url, ticks } = await startTestServer();
    const { messages, send } = await rawSocket(url);
    for (let i = 1; i <= 200; i += 1) send(subscribe(`s${i}`, 'subscription { tick }'));
    await until(() => ticks.pulled === 200);
    send(subscribe('s201', 'subscription { tick }'));
    expect(await messages.next()).toMatchObject({
      id: 's201',
      type: 'error',
      payload: [{ extensions: { code: 'TOO_MANY_OPERATIONS' } }],
    });
    send({ id: 's1', type: 'complete' });
    await until(() => ticks.returned === 1);
    send(subscribe('s201', 'subscription { tick }'));
    await until(() => ticks.pulled === 201);
  });

  it('closes a socket that speaks another protocol with 4406', async () => {
    const { url } = await startTestServer();
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`);
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(4406);
  });

  it('closes a socket that sends a message larger than the limit with 1009', async () => {
    const { url } = await startTestServer();
    const { socket, send } = await rawSocket(url);
    send(subscribe('a', '{ hello }', { v: 'x'.repeat(1_000_001) }));
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1009);
  });
});

describe('Websocket upgrades', () => {
  it('are accepted from the server’s own origin, from listed ones, and without one', async () => {
    const { url, port } = await startTestServer({ corsOrigins: ['https://jobs.example.com'] });
    expect(await upgradeStatus(url, {})).toBe(101);
    expect(await upgradeStatus(url, { Origin: `http://127.0.0.1:${port}` })).toBe(101);
    expect(await upgradeStatus(url, { Origin: 'https://jobs.example.com' })).toBe(101);
  });

  it('are accepted from the page’s own host behind a proxy', async () => {
    const { url } = await startTestServer();
    const headers = { Origin: 'https://jobs.internal', 'X-Forwarded-Host': 'jobs.internal' };
    expect(await upgradeStatus(url, headers)).toBe(101);
  });

  it.each(['https://evil.example', 'http://127.0.0.1:1', 'null'])(
    'from %s are closed with 1008, and the reason names the setting',
    async (origin) => {
      const { url, logged } = await startTestServer();
      expect(await closeOf(url, { Origin: origin })).toEqual([
        1008,
        `${origin} may not connect: the operator lists allowed origins in CORS_ORIGINS`,
      ]);
      expect(await closeOf(url, { Origin: origin })).toEqual([1008, expect.any(String)]);
      expect(logged('A web page of an origin that CORS_ORIGINS does not name calls the API')).toEqual([
        { level: 'warn', message: expect.any(String) as string, fields: { origin } },
      ]);
    },
  );

  it('from another origin are closed whatever they send, and cut where they do not close', async () => {
    const { url, ticks } = await startTestServer();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    const origin = `https://${'x'.repeat(5_000)}.example`;
    socket.write(
      `GET /graphql HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: ${origin}\r\n` +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    let text = '';
    socket.on('data', (data: Buffer) => (text += data.toString('latin1')));
    await once(socket, 'close');
    expect(text).toContain('101 Switching Protocols');
    expect(text).toContain('https://xxx');
    expect(ticks.subscribed).toBe(0);
  });

  it('end a client of graphql-ws at once where the origin is refused', async () => {
    const { url } = await startTestServer();
    let connections = 0;
    const client = createClient({
      url: `${url.replace('http', 'ws')}/graphql`,
      webSocketImpl: class extends WebSocket {
        constructor(address: string, protocols: string) {
          super(address, protocols, { origin: 'https://evil.example' });
          connections += 1;
        }
      },
      retryAttempts: 5,
    });
    const ended = client.iterate({ query: '{ hello }' }).next();
    await expect(ended).rejects.toMatchObject({
      code: 1008,
      reason: expect.stringContaining('CORS_ORIGINS') as string,
    });
    expect(connections).toBe(1);
  });

  it('under a name that is not the server’s are refused with a body that names the setting', async () => {
    const { url } = await startTestServer({ allowedHosts: ['jobs.example.com'] });
    expect(await refusedUpgrade(url, { Host: 'evil.example' })).toEqual([
      421,
      {
        errors: [
          {
            message: expect.stringContaining('ALLOWED_HOSTS') as string,
            extensions: { code: 'HOST_NOT_ALLOWED' },
          },
        ],
      },
    ]);
  });

  it('are refused on other paths', async () => {
    const { url } = await startTestServer();
    expect(await upgradeStatus(url, {}, '/other')).toBe(404);
  });

  it('survive a client that breaks off in the middle', async () => {
    const { url, port } = await startTestServer();
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /other HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.resetAndDestroy();
    expect(await upgradeStatus(url, {})).toBe(101);
  });
});

describe('A websocket client that does not read', () => {
  it('stops its source after a bounded number of events, and gets the rest when it reads on', async () => {
    const { url, flood } = await startTestServer();
    const { socket, messages, send } = await rawSocket(url);
    send(subscribe('a', 'subscription { flood }'));
    await messages.next();
    socket.pause();
    const pulled = await settled(() => flood.pulled);
    // What the two kernels and the client buffer, in events of 10 KB; unbounded, this would be millions.
    expect(pulled).toBeLessThan(2_000);
    socket.resume();
    await until(() => flood.pulled > pulled + 100);
  });

  it('does not hold back another client', async () => {
    const { url, ticks, flood } = await startTestServer();
    const slow = await rawSocket(url);
    slow.send(subscribe('a', 'subscription { flood }'));
    slow.send(subscribe('b', 'subscription { tick }'));
    await until(() => ticks.pulled > 0);
    slow.socket.pause();
    await settled(() => flood.pulled);
    const quick = await rawSocket(url);
    quick.send(subscribe('c', 'subscription { tick }'));
    await until(() => ticks.subscribed === 2);
    ticks.push('now');
    expect(await quick.messages.next()).toMatchObject({ id: 'c', payload: { data: { tick: 'now' } } });
  });

  it('is disconnected with 1013 when it stays so, and its subscriptions end', async () => {
    const { url, flood, logged } = await startTestServer({ slowReaderTimeoutMs: 200 });
    const { socket, send } = await rawSocket(url);
    socket.pause();
    send(subscribe('a', 'subscription { flood }'));
    await until(() => logged('Websocket client does not read and is disconnected').length === 1);
    const closed = once(socket, 'close') as Promise<[number, Buffer]>;
    socket.resume();
    const [code, reason] = await closed;
    expect(code).toBe(1013);
    expect(reason.toString()).toContain('resume from the last cursor');
    await until(() => flood.returned === 1);
  });

  it('is cut when it does not even read the reason', async () => {
    const { url, flood } = await startTestServer({ slowReaderTimeoutMs: 200 });
    const { socket, send } = await rawSocket(url);
    socket.pause();
    send(subscribe('a', 'subscription { flood }'));
    await until(() => flood.returned === 1);
  });

  it('cannot pile up answers by sending on', async () => {
    const { url, logged } = await startTestServer();
    const { socket, send } = await rawSocket(url);
    socket.pause();
    const before = process.memoryUsage().rss;
    // Each of these earns an error that names the field; the kernel stops taking them once the server stops reading.
    const query = `{ ${'x'.repeat(10_000)} }`;
    for (let sent = 0; socket.bufferedAmount < 1_000_000 && sent < 5_000; sent += 1) {
      send(subscribe(`x${sent}`, query));
      if (sent % 50 === 0) await new Promise(setImmediate);
    }
    expect(socket.bufferedAmount).toBeGreaterThanOrEqual(1_000_000);
    expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
    expect(logged('Websocket message could not be handled')).toEqual([]);
  });
});

describe('Keep-alive', () => {
  it('cuts a connection whose peer answers no ping', async () => {
    const { url, ticks } = await startTestServer({ keepAliveMs: 30 });
    const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      autoPong: false,
    });
    await once(socket, 'open');
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1006);
    expect(ticks.subscribed).toBe(0);
  });

  it('leaves a connection alone that answers', async () => {
    const { url } = await startTestServer({ keepAliveMs: 20 });
    const { socket, messages, send } = await rawSocket(url);
    let pings = 0;
    socket.on('ping', () => (pings += 1));
    await until(() => pings >= 5);
    send(subscribe('a', '{ hello }'));
    expect(await messages.next()).toMatchObject({ id: 'a', type: 'next' });
  });
});

/** The count once it has stopped growing: the same over many turns of the event loop and some time. */
async function settled(count: () => number): Promise<number> {
  let last = -1;
  let sinceMs = performance.now();
  await until(() => {
    if (count() !== last) {
      last = count();
      sinceMs = performance.now();
    }
    return last > 0 && performance.now() - sinceMs > 300;
  });
  return last;
}
