import { parse, print, type DocumentNode } from 'graphql';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { SubscribePayload } from 'graphql-ws/client';
import { persistedHashOf, persistedQuery } from './persisted.ts';

/** What to subscribe to, as any client of GraphQL has it at hand. */
export interface Operation<Data, Variables> {
  query: string | DocumentNode | TypedDocumentNode<Data, Variables>;
  variables?: Variables | undefined;
  operationName?: string | null | undefined;
  extensions?: Record<string, unknown> | undefined;
}

export function documentOf({ query }: Operation<unknown, unknown>): DocumentNode {
  return typeof query === 'string' ? parse(query) : query;
}

/**
 * What the socket sends for an operation.
 *
 * @param isPersisted whether a generated document goes out by its id
 * @param variables read with each sending: on a close with code 1000 graphql-ws sends its payload again by itself
 */
export function payloadOf(
  { query, operationName, extensions }: Operation<unknown, unknown>,
  isPersisted: boolean,
  variables: () => Readonly<Record<string, unknown>>,
): SubscribePayload {
  const hash = isPersisted ? persistedHashOf(query) : undefined;
  return {
    // The protocol asks for a query, also where it is named.
    query: hash === undefined ? textOf(query) : '',
    operationName,
    extensions: hash === undefined ? extensions : { ...extensions, persistedQuery: persistedQuery(hash) },
    get variables() {
      return variables();
    },
  };
}

function textOf(query: string | DocumentNode): string {
  return typeof query === 'string' ? query : print(query);
}
