import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../../support/until.ts';
import { complete, rawSocket, subscribe } from '../raw-websocket.ts';
import { startTestServer } from '../test-server.ts';

const TICKS = 'subscription { tick }';

/** A document of many bytes that asks for little. */
function longDocument(bytes: number): string {
  return `${TICKS} #${'x'.repeat(bytes)}`;
}

/** Whether a further websocket is served; it is closed again. */
async function isAcknowledged(url: string): Promise<boolean> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await once(socket, 'open');
  const acknowledged = once(socket, 'message').then(() => true);
  socket.send('{"type":"connection_init"}');
  const result = await Promise.race([acknowledged, once(socket, 'close').then(() => false)]);
  socket.terminate();
  return result;
}

it('closes a websocket too many of one address with 1013, and names the setting', async () => {
  const { url } = await startTestServer({ maxWebsocketsPerAddress: 2 });
  const first = await rawSocket(url);
  await rawSocket(url);
  const third = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const [code, reason] = (await once(third, 'close')) as [number, Buffer];
  expect([code, reason.toString()]).toEqual([
    1013,
    'At most 2 websockets of one address (MAX_WEBSOCKETS_PER_ADDRESS)',
  ]);
  first.socket.terminate();
  await until(() => isAcknowledged(url));
});

it('refuses a subscription too many of one address, over its websockets and event streams together', async () => {
  const { url, ticks } = await startTestServer({ maxSubscriptionsPerAddress: 2 });
  const { messages, send } = await rawSocket(url);
  send(subscribe('1', TICKS));
  await until(() => ticks.pulled === 1);
  const { hostname, port } = new URL(url);
  const ask = (accept = 'text/event-stream') =>
    get({
      hostname,
      port,
      path: `/graphql?query=${encodeURIComponent(TICKS)}`,
      headers: { Accept: accept },
    });
  const stream = ask();
  stream.on('error', () => undefined);
  await once(stream, 'response');
  const refusal = {
    message: 'One address runs at most 2 subscriptions at once (MAX_SUBSCRIPTIONS_PER_ADDRESS).',
    extensions: { code: 'TOO_MANY_OPERATIONS' },
  };
  send(subscribe('2', TICKS));
  expect(await messages.next()).toMatchObject({ id: '2', payload: { errors: [refusal] } });
  const other = await rawSocket(url);
  other.send(subscribe('a', TICKS));
  expect(await other.messages.next()).toMatchObject({ id: 'a', payload: { errors: [refusal] } });
  const [response] = (await once(ask('text/event-stream, application/json'), 'response')) as [
    IncomingMessage,
  ];
  expect([response.statusCode, response.headers['retry-after']]).toEqual([429, '5']);
  expect(JSON.parse(await text(response))).toEqual({ errors: [refusal] });
  // An EventSource would never come back after any status but 200.
  const [events] = (await once(ask(), 'response')) as [IncomingMessage];
  expect([events.statusCode, await text(events)]).toEqual([
    200,
    `retry: 5000\nevent: next\ndata: ${JSON.stringify({ errors: [refusal] })}\n\n`,
  ]);
  // Queries are not counted.
  other.send(subscribe('b', '{ hello }'));
  expect(await other.messages.nextWhere(({ id }) => id === 'b')).toMatchObject({ type: 'next' });

  const { returned, subscribed } = ticks;
  stream.destroy();
  await until(() => ticks.returned > returned);
  send(subscribe('3', TICKS));
  await until(() => ticks.subscribed > subscribed);
});

it('bounds the bytes of what the subscriptions of one websocket keep', async () => {
  const { url, ticks } = await startTestServer();
  const { messages, send } = await rawSocket(url);
  for (let i = 1; i <= 4; i += 1) send(subscribe(`${i}`, longDocument(60_000)));
  await until(() => ticks.pulled === 4);
  send(subscribe('5', longDocument(60_000)));
  expect(await messages.next()).toMatchObject({
    id: '5',
    payload: {
      errors: [
        {
          message: "The documents and variables of one websocket's subscriptions have at most 256000 bytes.",
          extensions: { code: 'TOO_MANY_OPERATIONS' },
        },
      ],
    },
  });
  send(complete('1'));
  await until(() => ticks.returned === 1);
  send(subscribe('6', longDocument(60_000)));
  await until(() => ticks.pulled === 5);
});
