import { WebSocket } from 'ws';
import { answer } from './answer.ts';

/** Many websocket clients in one process that only count what they are sent: JSON is parsed by nobody. */
export type SubscribersRequest =
  | { kind: 'connect'; url: string; count: number; query: string }
  | { kind: 'expect'; total: number }
  | { kind: 'received' }
  | { kind: 'counted' }
  | { kind: 'close' };

/** When the first and the last of the expected messages came, in milliseconds since 1970. */
export type Received = { firstMs: number; lastMs: number };

/** How many messages have come since they were expected. */
export type Counted = { count: number };

/** Sockets that connect at once. */
const LANES = 50;

let sockets: WebSocket[] = [];
let total = 0;
let count = 0;
let firstMs = 0;
let done: ((received: Received) => void) | null = null;
let received: Promise<Received> | null = null;

const nowMs = () => performance.timeOrigin + performance.now();

function note(): void {
  if (count === 0) firstMs = nowMs();
  count += 1;
  if (count === total) done?.({ firstMs, lastMs: nowMs() });
}

/** Resolves when the subscription was sent: what is acknowledged after it is in its place. */
function subscribe(url: string, query: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, 'graphql-transport-ws', { perMessageDeflate: false });
    socket.once('error', reject);
    socket.once('open', () => {
      socket.send('{"type":"connection_init"}');
    });
    socket.on('message', (data: Buffer) => {
      // {"id":"1","type":"next" … : the type's place is fixed, and reading it is all that is done.
      if (data.includes('"next"')) note();
      else if (data.includes('connection_ack')) {
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
        socket.ping();
      } else if (data.includes('"error"')) reject(new Error(data.toString()));
    });
    socket.once('pong', () => {
      resolve(socket);
    });
  });
}

answer(async (request: SubscribersRequest) => {
  switch (request.kind) {
    case 'connect': {
      let left = request.count;
      const lane = async () => {
        while (left > 0) {
          left -= 1;
          sockets.push(await subscribe(request.url, request.query));
        }
      };
      await Promise.all(Array.from({ length: LANES }, lane));
      return null;
    }
    case 'expect':
      total = request.total;
      count = 0;
      received = new Promise((resolve) => (done = resolve));
      return null;
    case 'received':
      return received;
    case 'counted':
      return { count };
    case 'close':
      for (const socket of sockets) socket.terminate();
      sockets = [];
      return null;
  }
});
