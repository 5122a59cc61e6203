import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { asyncQueue, type AsyncQueue } from '../support/async-queue.ts';

export type Message = { id?: string; type: string; payload?: unknown };

export type RawSocket = {
  socket: WebSocket;
  messages: AsyncQueue<Message>;
  send: (message: Message) => void;
  /** Sends messages in one write, which the server reads in one turn of its event loop. */
  sendTogether: (...several: Message[]) => void;
};

/** A socket that speaks the protocol by hand, already acknowledged. */
export async function rawSocket(url: string, headers: Record<string, string> = {}): Promise<RawSocket> {
  const { hostname, port } = new URL(url);
  const connection: Socket = connect(Number(port), hostname);
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
    headers,
    createConnection: () => connection,
  });
  onTestFinished(() => {
    socket.terminate();
  });
  const messages = asyncQueue<Message>('message on the websocket');
  socket.on('message', (data: Buffer) => {
    messages.push(JSON.parse(data.toString()) as Message);
  });
  await once(socket, 'open');
  const send = (message: Message) => {
    socket.send(JSON.stringify(message));
  };
  const sendTogether = (...several: Message[]) => {
    connection.cork();
    for (const message of several) send(message);
    connection.uncork();
  };
  send({ type: 'connection_init' });
  expect(await messages.next()).toEqual({ type: 'connection_ack' });
  return { socket, messages, send, sendTogether };
}

export function subscribe(id: string, query: string, variables?: Record<string, unknown>): Message {
  return { id, type: 'subscribe', payload: { query, variables } };
}

export function complete(id: string): Message {
  return { id, type: 'complete' };
}
