import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { answer } from './answer.ts';

/** The ceiling of the live feed: a server that sends a string which is ready beforehand to every socket there is. */
export type ReadyStringRequest = { kind: 'listen' } | { kind: 'send'; messages: number };

const MESSAGE = JSON.stringify({
  id: '1',
  type: 'next',
  payload: {
    data: {
      executionEvents: {
        cursor: 'djEuMDAwMDAwMDAwMDAwMDAwMC4xMjM0NTY3ODkw',
        kind: 'SUCCEEDED',
        at: '2026-01-01T00:00:00.000Z',
        status: 'SUCCESS',
        previousStatus: 'RUNNING',
        attempt: 1,
      },
    },
  },
});

const server = new WebSocketServer({
  host: '127.0.0.1',
  port: 0,
  perMessageDeflate: false,
  handleProtocols: () => 'graphql-transport-ws',
});
server.on('connection', (socket) => {
  socket.on('message', () => {
    socket.send('{"type":"connection_ack"}');
  });
});

answer(async (request: ReadyStringRequest) => {
  if (request.kind === 'listen') {
    if (server.address() === null) await new Promise((resolve) => server.once('listening', resolve));
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }
  for (let message = 0; message < request.messages; message += 1) {
    for (const socket of server.clients) socket.send(MESSAGE);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return null;
});
