import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { DocumentNode } from 'graphql';
import type { Transport } from '../transport.ts';
import { createFeed, type EventOf, type Feed, type FeedOptions } from './create-feed.ts';

/** Feeds by client, document and variables, so that whoever asks for the same one shares it. */
const feeds = new WeakMap<object, WeakMap<DocumentNode, Map<string, Feed<unknown>>>>();

/** The one feed of this client with this document and these variables. */
export function sharedFeed<Data, Variables extends object>(
  client: object,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
  subscribe: FeedOptions<Variables>['subscribe'],
): Feed<EventOf<Data>> {
  const ofClient = feeds.get(client) ?? new WeakMap<DocumentNode, Map<string, Feed<unknown>>>();
  feeds.set(client, ofClient);
  const ofDocument = ofClient.get(document) ?? new Map<string, Feed<unknown>>();
  ofClient.set(document, ofDocument);
  const key = JSON.stringify(variables);
  const known = ofDocument.get(key);
  if (known) return known as Feed<EventOf<Data>>;
  const feed = createFeed<EventOf<Data>, Variables>({
    document,
    variables,
    subscribe,
    onIdle: () => ofDocument.delete(key),
  });
  ofDocument.set(key, feed);
  return feed;
}

/** The feed of a document over the transport alone, past every cache. Whoever asks for the same one shares it. */
export function transportFeed<Data, Variables extends object>(
  transport: Transport,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Feed<EventOf<Data>> {
  return sharedFeed(transport, document, variables, (withCursor, sink, options) =>
    transport.subscribe({ query: document, variables: withCursor }, sink, options),
  );
}
