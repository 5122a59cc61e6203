import { useApolloClient } from '@apollo/client/react';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { apolloFeed } from '../apollo.ts';
import type { EventOf, Feed } from '../feed/create-feed.ts';

/**
 * The feed of a subscription over Apollo Client of this page, which `createApolloClient` has made. Components that ask for
 * the same document and variables share one subscription. Its events do not go into the cache.
 *
 * @throws Error where the document cannot be resumed; the message says what it lacks
 */
export function useFeed<Data, Variables extends object>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Feed<EventOf<Data>> {
  return apolloFeed(useApolloClient(), document, variables);
}
