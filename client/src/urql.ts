import {
  cacheExchange,
  Client,
  CombinedError,
  createRequest,
  fetchExchange,
  makeResult,
  type Exchange,
  type Operation,
  type OperationResult,
} from '@urql/core';
import { filter, make, map, merge, mergeMap, pipe, takeUntil, type Source } from 'wonka';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { EventOf, Feed } from './feed/create-feed.ts';
import { sharedFeed } from './feed/shared-feeds.ts';
import { persistedHashOf, persistedQuery } from './persisted.ts';
import {
  createTransport,
  type SubscribeOptions,
  type Transport,
  type TransportOptions,
} from './transport.ts';

export interface UrqlClientOptions extends TransportOptions {
  /** Stand before those that talk to the server; default a document cache. */
  exchanges?: Exchange[] | undefined;
}

/**
 * urql with queries and mutations over HTTP, and subscriptions that resume over one websocket. What a subscription may
 * be told besides its variables goes into its context: `client.subscription(document, variables, { onBegun })`.
 */
export function createUrqlClient(options: UrqlClientOptions): { client: Client; transport: Transport } {
  const transport = createTransport(options);
  const client = new Client({
    url: options.url,
    preferGetMethod: false,
    fetch: transport.fetch,
    exchanges: [
      ...(options.exchanges ?? [cacheExchange]),
      transportExchange(transport),
      ...(options.persisted === true ? [persistedExchange] : []),
      fetchExchange,
    ],
  });
  return { client, transport };
}

let feedCount = 0;

/**
 * The feed of a subscription through urql's client, exchanges and cache included. Whoever asks for the same document and
 * variables shares it. It is for clients of {@link createUrqlClient}: others lose events when a connection breaks.
 *
 * @throws Error where the document cannot be resumed; the message says what it lacks
 */
export function urqlFeed<Data, Variables extends object>(
  client: Client,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Feed<EventOf<Data>> {
  return sharedFeed(client, document, variables, (withCursor, sink, options) => {
    const request = createRequest<object>(document, withCursor);
    // urql has operations with one key share a subscription, and then would not call these callbacks.
    feedCount += 1;
    const key = (request.key + feedCount) >>> 0;
    const watching = client
      .executeSubscription<object>({ ...request, key }, options)
      .subscribe(({ data, error, hasNext }) => {
        const errors = error?.graphQLErrors.map(({ message, extensions }) => ({ message, extensions }));
        if (data) sink.next({ data });
        else if (errors && hasNext) sink.next({ data: null, errors });
        if (hasNext) return;
        if (error) sink.error(error.networkError ?? errors ?? []);
        else sink.complete();
      });
    return () => {
      watching.unsubscribe();
    };
  });
}

/** Has urql leave out the text of documents that the server knows. */
const persistedExchange: Exchange =
  ({ forward }) =>
  (operations) =>
    forward(pipe(operations, map(named)));

function named(operation: Operation): Operation {
  const hash = persistedHashOf(operation.query);
  if (hash === undefined) return operation;
  return { ...operation, extensions: { ...operation.extensions, persistedQuery: persistedQuery(hash) } };
}

/**
 * Sends subscriptions through the transport. urql's own exchange takes each result for a patch of the one before: it
 * repeats the last event with every error and at the end.
 */
export function transportExchange(transport: Transport): Exchange {
  return ({ forward }) =>
    (operations) => {
      const results = pipe(
        operations,
        filter(({ kind }) => kind === 'subscription'),
        mergeMap((operation) => {
          const teardowns = pipe(
            operations,
            filter(({ kind, key }) => kind === 'teardown' && key === operation.key),
          );
          return pipe(resultsOf(transport, operation), takeUntil(teardowns));
        }),
      );
      const others = pipe(
        operations,
        filter(({ kind }) => kind !== 'subscription'),
        forward,
      );
      return merge([results, others]);
    };
}

function resultsOf(transport: Transport, operation: Operation): Source<OperationResult> {
  const { query, variables, context } = operation;
  return make((observer) =>
    transport.subscribe(
      { query, variables },
      {
        next: (result) => {
          observer.next(makeResult(operation, { ...result, hasNext: true }));
        },
        error: (error) => {
          observer.next({ ...lastResult(operation), error: combinedError(error) });
          observer.complete();
        },
        complete: () => {
          observer.next(lastResult(operation));
          observer.complete();
        },
      },
      context as SubscribeOptions,
    ),
  );
}

/** Tells urql that nothing more comes. */
function lastResult(operation: Operation): OperationResult {
  return { operation, stale: false, hasNext: false };
}

function combinedError(error: Error | readonly object[]): CombinedError {
  return error instanceof Error
    ? new CombinedError({ networkError: error })
    : new CombinedError({ graphQLErrors: [...error] as Error[] });
}
