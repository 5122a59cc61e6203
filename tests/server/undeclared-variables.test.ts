import type { GraphQLError } from 'graphql';
import { OPEN_ACCESS } from '../../src/access/open-access.ts';
import { describe, expect, it } from 'vitest';
import { createGraphqlEndpoint } from '../../src/server/http/graphql-endpoint.ts';
import { createPeerLimits, noUsage } from '../../src/server/limits/peer-limits.ts';
import { createPersistedOperations } from '../../src/server/http/persisted-operations.ts';
import { createOperationServer } from '../../src/server/websocket/websocket-operations.ts';
import { until } from '../support/until.ts';
import { smallSchema } from './small-schema.ts';
import { viewerNamed } from '../support/viewers.ts';

const FACTS = {
  viewer: viewerNamed('ada'),
  address: '127.0.0.1',
  requestId: 'r',
  lastEventId: null,
  isGone: () => false,
};
const maskError = (error: unknown) => error as GraphQLError;
const persistedOperations = createPersistedOperations('off', new Map());

const query = 'subscription ($shown: Boolean!) { letter { name @include(if: $shown) } }';
const sent = () => ({ shown: true, more: 'x'.repeat(1_000) });

/** The pipeline, and the variables that its subscriptions hold. */
function scene() {
  const { schema } = smallSchema();
  const endpoint = createGraphqlEndpoint({
    schema,
    createContext: () => ({}),
    maskError,
    persistedOperations,
    peerLimits: createPeerLimits({ maxWebsocketsPerAddress: 1, maxSubscriptionsPerAddress: 1_000 }),
  });
  const held: unknown[] = [];
  const { subscribe } = endpoint;
  endpoint.subscribe = (args, ...more) => {
    held.push(args.variableValues);
    return subscribe(args, ...more);
  };
  return { endpoint, held };
}

describe('Variables that a subscription does not declare', () => {
  it('are not kept by an event stream', async () => {
    const { endpoint } = scene();
    const params = { query, variables: sent() };
    const headers = { accept: 'text/event-stream' };
    const answer = await endpoint.handleRequest(
      new Request('http://localhost/graphql', { method: 'POST', headers }),
      { facts: FACTS, delivery: {}, params },
    );
    expect(answer.status).toBe(200);
    expect(params.variables).toEqual({ shown: true });
    await answer.body?.cancel();
  });

  it('are not kept by a websocket', async () => {
    const { endpoint, held } = scene();
    const operations = createOperationServer({
      endpoint,
      authenticator: OPEN_ACCESS,
      maskError,
      persistedOperations,
    });
    let handle: ((text: string) => Promise<void>) | undefined;
    const closed = operations.opened(
      {
        protocol: 'graphql-transport-ws',
        send: () => undefined,
        close: () => undefined,
        onMessage: (handler) => (handle = handler),
      },
      {
        turns: { enter: () => null, leave: () => undefined },
        usage: noUsage(),
        send: () => Promise.resolve(),
        sendResults: () => null,
        nextOperation: () => FACTS,
      },
    );
    await handle?.(JSON.stringify({ type: 'connection_init' }));
    void handle?.(JSON.stringify({ id: 'a', type: 'subscribe', payload: { query, variables: sent() } }));
    await until(() => held.length === 1);
    expect(held).toEqual([{ shown: true }]);
    // Over when the source gives its next value, which it never does.
    void closed(1000, '');
  });
});
