import { once } from 'node:events';
import { expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { until } from '../../support/until.ts';
import { subscribe } from '../raw-websocket.ts';
import { startTestServer } from '../test-server.ts';

const SOCKETS = 1_000;
const AT_ONCE = 20;

it('1,000 sockets that subscribe and leave, politely or not, leave nothing behind', async () => {
  // With so few places, each socket that still counted after it left would keep a later one out.
  const { url, ticks, log } = await startTestServer({
    maxWebsocketsPerAddress: 3 * AT_ONCE,
    maxSubscriptionsPerAddress: 3 * AT_ONCE,
  });
  let subscribed = 0;
  for (let begun = 0; begun < SOCKETS; begun += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => visit(url, index)));
    subscribed += AT_ONCE;
    await until(() => ticks.returned === subscribed);
  }
  expect(ticks.subscribed).toBe(SOCKETS);
  expect(log.filter(({ level }) => level === 'error' || level === 'warn')).toEqual([]);
});

/** Subscribes, and leaves once the subscription has begun. */
async function visit(url: string, index: number): Promise<void> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  const messages: string[] = [];
  socket.on('message', (data: Buffer) => messages.push(data.toString()));
  await once(socket, 'open');
  socket.send('{"type":"connection_init"}');
  await until(() => messages.length === 1);
  socket.send(JSON.stringify(subscribe('1', 'subscription { tick }')));
  // Answered behind it: the subscription has begun by then.
  socket.send(JSON.stringify(subscribe('2', '{ hello }')));
  await until(() => messages.some((text) => text.includes('"hello"')));
  const closed = once(socket, 'close');
  if (index % 2 === 0) socket.terminate();
  else socket.close();
  await closed;
}
