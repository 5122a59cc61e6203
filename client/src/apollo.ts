import {
  ApolloClient,
  ApolloLink,
  CombinedGraphQLErrors,
  HttpLink,
  InMemoryCache,
  Observable,
} from '@apollo/client';
import type { ApolloCache, InMemoryCacheConfig } from '@apollo/client';
import { OperationTypeNode } from 'graphql';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { EventOf, Feed } from './feed/create-feed.ts';
import { sharedFeed } from './feed/shared-feeds.ts';
import { feedFields, possibleTypes } from './generated/schema-facts.ts';
import { persistedHashOf } from './persisted.ts';
import {
  createTransport,
  type SubscribeOptions,
  type Transport,
  type TransportOptions,
} from './transport.ts';

export interface ApolloClientOptions extends TransportOptions {
  /** Default a cache in memory with {@link cacheOptions}. */
  cache?: ApolloCache | undefined;
}

/**
 * What a cache in memory must know of the schema: which types its interfaces and unions stand for, and that figures and a
 * feed's items take the place of those before them.
 */
export const cacheOptions: InMemoryCacheConfig = {
  possibleTypes,
  typePolicies: {
    Subscription: { fields: Object.fromEntries(feedFields.map((field) => [field, { merge: false }])) },
    SystemMetrics: { merge: true },
    JobMetrics: { merge: true },
  },
};

/**
 * Apollo Client with queries and mutations over HTTP, and subscriptions that resume over one websocket. What a
 * subscription may be told besides its variables goes into its context:
 * `client.subscribe({ query, variables, context: { onBegun } })`.
 */
export function createApolloClient(options: ApolloClientOptions): {
  client: ApolloClient;
  transport: Transport;
} {
  const transport = createTransport(options);
  const http = new HttpLink({ uri: options.url, fetch: transport.fetch });
  const client = new ApolloClient({
    cache: options.cache ?? new InMemoryCache(cacheOptions),
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      subscriptionLink(transport),
      options.persisted === true ? ApolloLink.from([namingLink(), http]) : http,
    ),
  });
  return { client, transport };
}

/**
 * The feed of a subscription through Apollo Client, past its cache, which would keep every execution. Whoever asks for the
 * same document and variables shares it. It is for clients of {@link createApolloClient}: others lose events when a
 * connection breaks.
 *
 * @throws Error where the document cannot be resumed; the message says what it lacks
 */
export function apolloFeed<Data, Variables extends object>(
  client: ApolloClient,
  query: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Feed<EventOf<Data>> {
  return sharedFeed(client, query, variables, (withCursor, sink, options) => {
    // Two alike would share one subscription, and only the first one's callbacks would be called.
    const context = { ...options, queryDeduplication: false };
    const watching = client
      // With its default policy, Apollo Client would hand on no event that has an error beside its data.
      .subscribe<object>({
        query,
        variables: withCursor,
        context,
        fetchPolicy: 'no-cache',
        errorPolicy: 'all',
      })
      .subscribe({
        next: ({ data, error }) => {
          if (data) sink.next({ data });
          else if (error && endings.has(error)) sink.error(error);
          else sink.next({ data: null, errors: CombinedGraphQLErrors.is(error) ? error.errors : [] });
        },
        complete: sink.complete,
      });
    return () => {
      watching.unsubscribe();
    };
  });
}

/** Errors behind which nothing more comes: to its caller, Apollo Client tells them as it tells those of one event. */
const endings = new WeakSet();

function subscriptionLink(transport: Transport): ApolloLink {
  return new ApolloLink(
    (operation) =>
      new Observable((observer) => {
        const { query, variables, operationName, extensions } = operation;
        return transport.subscribe<Record<string, unknown>, Record<string, unknown>>(
          { query, variables, operationName, extensions },
          {
            next: (result) => {
              observer.next(result);
            },
            error: (error) => {
              const ending = error instanceof Error ? error : new CombinedGraphQLErrors({ errors: error });
              endings.add(ending);
              observer.error(ending);
            },
            complete: () => {
              observer.complete();
            },
          },
          operation.getContext() as SubscribeOptions,
        );
      }),
  );
}

/** Sends the names of documents that the server knows; others go out as they are. */
function namingLink(): ApolloLink {
  return ApolloLink.split(
    ({ query }) => persistedHashOf(query) !== undefined,
    new PersistedQueryLink({ generateHash: (document) => persistedHashOf(document) ?? '' }),
  );
}
