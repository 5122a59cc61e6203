import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import { asyncQueue, type AsyncQueue } from '../support/async-queue.ts';

/** One subscription as the server sees it. The test plays its feed. */
export type Subscribed = {
  query: string;
  variables: Record<string, unknown>;
  operationName?: string;
  /** Sends an item of `executionEvents`. */
  item: (item: object) => void;
  next: (result: object) => void;
  error: (...errors: object[]) => void;
  complete: () => void;
  /** Closes its connection with this code, or cuts it. */
  close: (code?: number) => void;
};

/** The server side of graphql-transport-ws and of HTTP. A test decides every message. */
export type ScriptedServer = {
  url: string;
  /** Each subscription in the order of arrival, repeated ones included. */
  subscribed: AsyncQueue<Subscribed>;
  /** What each connection has sent with `connection_init`. */
  inits: AsyncQueue<unknown>;
  /** Ids of subscriptions that the client has ended. */
  ended: AsyncQueue<string>;
  requests: AsyncQueue<IncomingHttpHeaders>;
  /** Refuses connections with this code until it is null again. */
  refuseWith: (code: number | null) => void;
  /** Whether the server answers `connection_init`. */
  acceptConnections: (accepts: boolean) => void;
  /** Whether the server answers pings. */
  answerPings: (answers: boolean) => void;
};

type Message = { type: string; id: string; payload?: Record<string, unknown> };

/** Starts the server. It stops at the end of the test. */
export async function startScriptedServer(): Promise<ScriptedServer> {
  const subscribed = asyncQueue<Subscribed>('subscription');
  const inits = asyncQueue<unknown>('connection_init');
  const ended = asyncQueue<string>('end of a subscription by the client');
  const requests = asyncQueue<IncomingHttpHeaders>('HTTP request');
  let refusal: number | null = null;
  let accepts = true;
  let answersPings = true;

  const http = createServer((request, response) => {
    requests.push(request.headers);
    request.resume();
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify({ data: { health: { __typename: 'Health', status: 'UP' } } }));
  });
  const sockets = new WebSocketServer({ server: http });
  sockets.on('connection', (socket) => {
    socket.on('message', (data: Buffer) => {
      answer(socket, JSON.parse(data.toString()) as Message);
    });
  });

  function answer(socket: WebSocket, { type, id, payload }: Message): void {
    const send = (message: object) => {
      socket.send(JSON.stringify(message));
    };
    if (type === 'connection_init') {
      inits.push(payload);
      if (refusal !== null) socket.close(refusal, 'Refused');
      else if (accepts) send({ type: 'connection_ack' });
    } else if (type === 'ping') {
      if (answersPings) send({ type: 'pong' });
    } else if (type === 'complete') {
      ended.push(id);
    } else if (type === 'subscribe') {
      const next = (result: object) => {
        send({ id, type: 'next', payload: result });
      };
      subscribed.push({
        ...(payload as Pick<Subscribed, 'query' | 'variables'>),
        next,
        item: (item) => {
          next({ data: { executionEvents: item } });
        },
        error: (...errors) => {
          send({ id, type: 'error', payload: errors });
        },
        complete: () => {
          send({ id, type: 'complete' });
        },
        close: (code) => {
          if (code === undefined) socket.terminate();
          else socket.close(code, 'Closed by the test');
        },
      });
    }
  }

  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets.clients) socket.terminate();
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/graphql`,
    subscribed,
    inits,
    ended,
    requests,
    refuseWith: (code) => (refusal = code),
    acceptConnections: (value) => (accepts = value),
    answerPings: (answers) => (answersPings = answers),
  };
}
