import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { parse, type DocumentNode } from 'graphql';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { createApolloClient } from '../../client/src/apollo.ts';
import { createUrqlClient } from '../../client/src/urql.ts';
import { asyncQueue, type AsyncQueue } from '../support/async-queue.ts';
import { startScriptedServer } from './scripted-server.ts';

type Client = {
  queryHealth: () => Promise<unknown>;
  watch: (document: DocumentNode, variables: object, onBegun?: (cursor: string) => void) => Watching;
};
type Watching = {
  /** What an application receives from a subscription: data, error messages, and `end`. */
  seen: AsyncQueue<unknown>;
  stop: () => void;
};

const EVENTS = parse(/* GraphQL */ `
  subscription ($after: String) {
    executionEvents(after: $after) {
      ... on ExecutionEvent {
        cursor
      }
      ... on FeedGap {
        toCursor
      }
    }
  }
`);
const LOG = parse(/* GraphQL */ `
  subscription ($after: String) {
    executionLogs(executionId: "exec_1", after: $after) {
      ... on ExecutionLogEvent {
        cursor
      }
      ... on FeedGap {
        toCursor
      }
    }
  }
`);
const HEALTH = parse('query { health { status } }') as TypedDocumentNode<{ health: object }, EmptyVariables>;
type EmptyVariables = Record<string, never>;

function urqlClient(url: string): Client {
  const { client, transport } = createUrqlClient({ url, webSocket: WebSocket, token: () => 'secret' });
  onTestFinished(transport.close);
  return {
    queryHealth: async () => (await client.query(HEALTH, {})).data?.health,
    watch: (document, variables, onBegun) => {
      const seen = asyncQueue<unknown>('result of urql');
      const watching = client
        .subscription<object>(document, variables, { onBegun })
        .subscribe(({ data, error, hasNext }) => {
          if (data) seen.push(data);
          if (error) seen.push(error.message);
          if (!hasNext) seen.push('end');
        });
      const stop = () => {
        watching.unsubscribe();
      };
      onTestFinished(stop);
      return { seen, stop };
    },
  };
}

function apolloClient(url: string): Client {
  const { client, transport } = createApolloClient({ url, webSocket: WebSocket, token: () => 'secret' });
  onTestFinished(() => {
    transport.close();
    client.stop();
  });
  return {
    queryHealth: async () => (await client.query({ query: HEALTH })).data?.health,
    watch: (query, variables, onBegun) => {
      const seen = asyncQueue<unknown>('result of Apollo Client');
      const watching = client.subscribe<object>({ query, variables, context: { onBegun } }).subscribe({
        next: ({ data, error }) => {
          if (data) seen.push(data);
          if (error) seen.push(error.message);
        },
        complete: () => {
          seen.push('end');
        },
      });
      const stop = () => {
        watching.unsubscribe();
      };
      onTestFinished(stop);
      return { seen, stop };
    },
  };
}

const event = (cursor: string) => ({ executionEvents: { __typename: 'ExecutionEvent', cursor } });
const line = (cursor: string) => ({ executionLogs: { __typename: 'ExecutionLogEvent', cursor } });

describe.each([
  { name: 'urql', clientOf: urqlClient },
  { name: 'Apollo Client', clientOf: apolloClient },
])('$name', ({ clientOf }) => {
  it('sends the token with a query and with its socket', async () => {
    const server = await startScriptedServer();
    const client = clientOf(server.url);
    expect(await client.queryHealth()).toMatchObject({ status: 'UP' });
    expect(await server.requests.next()).toMatchObject({ authorization: 'Bearer secret' });
    client.watch(EVENTS, {});
    expect(await server.inits.next()).toEqual({ authorization: 'Bearer secret' });
  });

  it('reports when a feed is open, and reports an error without repeating the event before it', async () => {
    const server = await startScriptedServer();
    const begun = asyncQueue<string>('begin');
    const { seen } = clientOf(server.url).watch(EVENTS, {}, begun.push);
    const first = await server.subscribed.next();
    first.item({ __typename: 'FeedGap', toCursor: 'begin' });
    expect(await begun.next()).toBe('begin');
    first.next({ data: event('a') });
    first.next({ data: null, errors: [{ message: 'Gone', extensions: { code: 'NOT_FOUND' } }] });
    first.next({ data: event('b') });
    expect(await seen.next()).toEqual(event('a'));
    expect(await seen.next()).toMatch(/Gone/);
    expect(await seen.next()).toEqual(event('b'));
  });

  it('sends the last line of a log once, and marks it as the last', async () => {
    const server = await startScriptedServer();
    const { seen } = clientOf(server.url).watch(LOG, { after: 'x' });
    const first = await server.subscribed.next();
    first.next({ data: line('a') });
    first.complete();
    expect(await seen.next()).toEqual(line('a'));
    expect(await seen.next()).toEqual('end');
  });

  it('reports a refusal, which ends the feed', async () => {
    const server = await startScriptedServer();
    const { seen } = clientOf(server.url).watch(EVENTS, {});
    (await server.subscribed.next()).error({ message: 'Not for you', extensions: { code: 'FORBIDDEN' } });
    expect(await seen.next()).toMatch(/Not for you/);
  });

  it('ends the subscription at the server when nobody listens any more', async () => {
    const server = await startScriptedServer();
    const { seen, stop } = clientOf(server.url).watch(EVENTS, { after: 'x' });
    (await server.subscribed.next()).next({ data: event('a') });
    await seen.next();
    expect(server.ended.all).toEqual([]);
    stop();
    await server.ended.next();
  });
});
