import { OPEN_ACCESS } from '../../../src/access/open-access.ts';
import { GraphQLError } from 'graphql';
import { expect, it } from 'vitest';
import { createGraphqlEndpoint } from '../../../src/server/http/graphql-endpoint.ts';
import { createPeerLimits, noUsage } from '../../../src/server/limits/peer-limits.ts';
import { createPersistedOperations } from '../../../src/server/http/persisted-operations.ts';
import { createOperationServer } from '../../../src/server/websocket/websocket-operations.ts';
import { until } from '../../support/until.ts';
import { subscribe } from '../raw-websocket.ts';
import { smallSchema } from '../small-schema.ts';
import { viewerNamed } from '../../support/viewers.ts';

it('a subscription ends when its socket is gone, whether or not anybody told it', async () => {
  const { schema, flood } = smallSchema();
  const maskError = (error: unknown) => new GraphQLError(String(error));
  const persistedOperations = createPersistedOperations('off', new Map());
  const endpoint = createGraphqlEndpoint({
    schema,
    createContext: () => ({}),
    maskError,
    persistedOperations,
    peerLimits: createPeerLimits({ maxWebsocketsPerAddress: 1, maxSubscriptionsPerAddress: 1_000 }),
  });
  const operations = createOperationServer({
    endpoint,
    authenticator: OPEN_ACCESS,
    maskError,
    persistedOperations,
  });
  const receivers: ((text: string) => Promise<void>)[] = [];
  let sent = 0;
  const closed = operations.opened(
    {
      protocol: 'graphql-transport-ws',
      send: () => undefined,
      close: () => undefined,
      onMessage: (receive) => receivers.push(receive),
    },
    {
      turns: { enter: () => null, leave: () => undefined },
      usage: noUsage(),
      // Gone after the third. A turn of the event loop in between, so that one that never ends can be seen not to.
      send: () => Promise.resolve(),
      sendResults: () => {
        sent += 1;
        return new Promise((resolve) => setImmediate(resolve, sent < 3));
      },
      nextOperation: () => ({
        requestId: 'r',
        viewer: viewerNamed('ada'),
        address: null,
        lastEventId: null,
        isGone: () => false,
      }),
    },
  );
  const receive = async (message: object) => {
    await Promise.all(receivers.map((each) => each(JSON.stringify(message))));
  };
  await receive({ type: 'connection_init' });
  const ended = receive(subscribe('1', 'subscription { flood }'));
  await until(() => flood.returned === 1);
  await ended;
  expect(sent).toBe(3);
  await closed(1006, '');
});
