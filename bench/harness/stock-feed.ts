import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { useServer } from 'graphql-ws/use/ws';
import { createPubSub, createSchema, createYoga } from 'graphql-yoga';
import { WebSocketServer } from 'ws';
import { answer } from './answer.ts';

/** A peer: the same feed with Yoga, its own publish and subscribe, and graphql-ws as they come. */
export type StockFeedRequest = { kind: 'listen' } | { kind: 'publish'; events: number };

const pubSub = createPubSub<{ event: [{ executionEvents: Record<string, unknown> }] }>();
const schema = createSchema({
  typeDefs: `
    type Query { ping: String }
    type ExecutionEvent { cursor: String! kind: String! at: String! status: String! previousStatus: String attempt: Int }
    type Subscription { executionEvents: ExecutionEvent! }`,
  resolvers: { Subscription: { executionEvents: { subscribe: () => pubSub.subscribe('event') } } },
});
const yoga = createYoga({ schema, logging: false });
// Yoga answers when it likes, and the server does not wait for it.
const server = createServer((request, response) => void yoga(request, response));
useServer({ schema }, new WebSocketServer({ server, path: '/graphql' }));

answer(async (request: StockFeedRequest) => {
  if (request.kind === 'listen') {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return `ws://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
  }
  for (let event = 0; event < request.events; event += 1) {
    pubSub.publish('event', {
      executionEvents: {
        cursor: `djEuMDAwMDAwMDAwMDAwMDAwMC4${event}`,
        kind: 'SUCCEEDED',
        at: '2026-01-01T00:00:00.000Z',
        status: 'SUCCESS',
        previousStatus: 'RUNNING',
        attempt: 1,
      },
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  return null;
});
