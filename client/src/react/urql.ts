import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { useClient } from 'urql';
import type { EventOf, Feed } from '../feed/create-feed.ts';
import { urqlFeed } from '../urql.ts';

/**
 * The feed of a subscription over urql's client of this page, which `createUrqlClient` has made. Components that ask for the
 * same document and variables share one subscription.
 *
 * @throws Error where the document cannot be resumed; the message says what it lacks
 */
export function useFeed<Data, Variables extends object>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Feed<EventOf<Data>> {
  return urqlFeed(useClient(), document, variables);
}
