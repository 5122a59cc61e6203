import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client as UrqlClient, fetchExchange, subscriptionExchange } from '@urql/core';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import type { Client as GraphqlWsClient, SubscribePayload } from 'graphql-ws';
import { WebSocket } from 'ws';
import { asyncQueue } from './async-queue.ts';
import type { AsyncQueue } from './async-queue.ts';

export type Variables = Record<string, unknown>;
export type GraphqlError = {
  message: string;
  path?: (string | number)[];
  extensions?: Record<string, unknown>;
};
export type GraphqlBody<Data> = { data?: Data | null; errors?: GraphqlError[] };
export type GraphqlAnswer<Data> = { status: number; headers: Headers; body: GraphqlBody<Data> };

/** What a test has not described; it passes a type of its own where it looks deeper. */
type AnyData = Record<string, unknown>;

/** Runs one operation over HTTP POST. @param url the server's, without path */
export async function post<Data = AnyData>(
  url: string,
  query: string,
  variables?: Variables,
  headers: Record<string, string> = {},
): Promise<GraphqlAnswer<Data>> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as GraphqlBody<Data>,
  };
}

/** A subscription being followed. */
export type Feed<Data> = AsyncQueue<GraphqlBody<Data>> & {
  /** Ends the subscription from the client's side. */
  close: () => void;
};

export type Closed = { code: number; reason: string };

export type WsClient = {
  /** @param more what goes out with it, such as extensions */
  subscribe: <Data = AnyData>(query: string, variables?: Variables, more?: object) => Feed<Data>;
  /** The code and reason with which the server closed the socket. */
  closed: Promise<Closed>;
  close: () => Promise<void>;
};

/**
 * A graphql-ws client on one socket of its own, which does not reconnect.
 *
 * @param connectionParams the payload of its first message
 */
export function wsClient(url: string, connectionParams?: Record<string, unknown>): WsClient {
  const sink: { closed?: (event: Closed) => void } = {};
  const closed = new Promise<Closed>((resolve) => (sink.closed = resolve));
  const client = graphqlWsClient(url, (event) => sink.closed?.(event), connectionParams);
  return {
    subscribe: (query, variables, more) =>
      follow(client, { query, ...(variables && { variables }), ...more }),
    closed,
    close: async () => {
      await client.dispose();
    },
  };
}

function graphqlWsClient(
  url: string,
  onClosed?: (event: Closed) => void,
  connectionParams?: Record<string, unknown>,
): GraphqlWsClient {
  return createClient({
    ...(connectionParams && { connectionParams }),
    url: `${url.replace(/^http/, 'ws')}/graphql`,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    on: {
      closed: (event) => {
        onClosed?.(event as Closed);
      },
    },
  });
}

function follow<Data>(client: GraphqlWsClient, payload: SubscribePayload): Feed<Data> {
  const queue = asyncQueue<GraphqlBody<Data>>('event of a subscription');
  const close = client.subscribe(payload, {
    next: (result) => {
      queue.push(result as GraphqlBody<Data>);
    },
    // An `error` message of the server carries GraphQL errors; anything else is the socket's end.
    error: (error) => {
      if (Array.isArray(error)) queue.push({ errors: error as GraphqlError[] });
      queue.end(new Error(`The subscription failed: ${JSON.stringify(error)}`));
    },
    complete: () => {
      queue.end(new Error('The subscription is complete'));
    },
  });
  return { ...queue, close };
}

/** Follows a subscription as server-sent events. */
export async function sseClient<Data = AnyData>(
  url: string,
  query: string,
  variables?: Variables,
  more?: object,
  headers: Record<string, string> = {},
): Promise<Feed<Data>> {
  const abort = new AbortController();
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: 'text/event-stream', ...headers },
    body: JSON.stringify({ query, variables, ...more }),
    signal: abort.signal,
  });
  const queue = asyncQueue<GraphqlBody<Data>>('server-sent event');
  readEvents(response, queue).then(
    () => {
      queue.end(new Error('The event stream is over'));
    },
    (error: unknown) => {
      queue.end(error as Error);
    },
  );
  return {
    ...queue,
    close: () => {
      abort.abort();
    },
  };
}

async function readEvents<Data>(response: Response, queue: AsyncQueue<GraphqlBody<Data>>): Promise<void> {
  if (!response.body) throw new Error(`No event stream: ${response.status}`);
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true });
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = /^data: (.+)$/m.exec(block)?.[1];
      if (data !== undefined) queue.push(JSON.parse(data) as GraphqlBody<Data>);
    }
  }
}

/** Apollo as a web page would set it up: HTTP for queries and mutations, graphql-ws for subscriptions. */
export function apolloClient(url: string): ApolloClient {
  const socket = graphqlWsClient(url);
  return new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new HttpLink({ uri: `${url}/graphql` }),
    ),
  });
}

/** urql as a web page would set it up. */
export function urqlClient(url: string): UrqlClient {
  const socket = graphqlWsClient(url);
  return new UrqlClient({
    url: `${url}/graphql`,
    preferGetMethod: false,
    exchanges: [
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe({ query, variables: variables as Variables }, sink as never),
          }),
        }),
      }),
    ],
  });
}
