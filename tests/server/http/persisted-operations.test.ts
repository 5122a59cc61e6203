import { createHash } from 'node:crypto';
import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { type Exchange, fetchExchange, Client as UrqlClient } from '@urql/core';
import { type DocumentNode, Kind, print } from 'graphql';
import { describe, expect, it } from 'vitest';
import { map, pipe } from 'wonka';
import {
  createPersistedOperations,
  parsePersistedOperations,
  type PersistedOperationsMode,
} from '../../../src/server/http/persisted-operations.ts';
import { post, sseClient, wsClient } from '../../support/graphql-clients.ts';
import { until } from '../../support/until.ts';
import { startTestServer } from '../test-server.ts';

const HELLO = '{ hello }';
const TICKS = 'subscription { tick }';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const LIST = JSON.stringify({ [sha256(HELLO)]: HELLO, ticks: TICKS, [sha256('{ nothing }')]: '{ nothing }' });

/** A server with a list of operations. */
function serve(mode: PersistedOperationsMode, list = LIST) {
  return startTestServer({
    persistedOperations: createPersistedOperations(mode, parsePersistedOperations(list)),
  });
}

async function send(url: string, params: object, accept = 'application/json') {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', Accept: accept },
    body: JSON.stringify(params),
  });
  return { status: response.status, body: (await response.json()) as unknown };
}

const asApollo = (hash: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: hash } } });
const errorOf = (code: string) => ({ errors: [{ extensions: { code } }] });

describe.each(['allowed', 'required'] as const)('where persisted operations are %s', (mode) => {
  it.each([
    ['Apollo’s hash', asApollo(sha256(HELLO))],
    ['Apollo’s hash in capitals', asApollo(sha256(HELLO).toUpperCase())],
    ['a document id', { documentId: sha256(HELLO) }],
    ['a document id that says what it is', { documentId: `sha256:${sha256(HELLO)}` }],
    ['an id beside an empty query', { query: '', documentId: sha256(HELLO) }],
  ])('one is run by %s', async (_what, params) => {
    const { url } = await serve(mode);
    expect(await send(url, params)).toEqual({ status: 200, body: { data: { hello: 'world' } } });
  });

  it('one is run by GET, too', async () => {
    const { url } = await serve(mode);
    for (const [name, value] of [
      ['documentId', sha256(HELLO)],
      ['extensions', JSON.stringify(asApollo(sha256(HELLO)).extensions)],
    ] as const) {
      const response = await fetch(`${url}/graphql?${new URLSearchParams({ [name]: value }).toString()}`);
      expect(await response.json()).toEqual({ data: { hello: 'world' } });
    }
  });

  it('subscriptions begin by their id, over a websocket and as an event stream', async () => {
    const { url, ticks } = await serve(mode);
    const socket = wsClient(url);
    const overSocket = socket.subscribe('', undefined, asApollo(sha256(TICKS)));
    const stream = await sseClient(url, '', undefined, { documentId: 'ticks' });
    await until(() => ticks.subscribed === 2 && ticks.pulled === 2);
    ticks.push('one');
    expect(await overSocket.next()).toEqual({ data: { tick: 'one' } });
    expect(await stream.next()).toEqual({ data: { tick: 'one' } });
    stream.close();
    await socket.close();
  });

  it('an id that nobody knows is refused, over each transport', async () => {
    const { url } = await serve(mode);
    const unknown = asApollo(sha256('{ actor }'));
    expect(await send(url, unknown)).toMatchObject({
      status: 200,
      body: errorOf('PERSISTED_OPERATION_NOT_FOUND'),
    });
    expect(await send(url, unknown, 'application/graphql-response+json')).toMatchObject({ status: 400 });
    const socket = wsClient(url);
    expect(await socket.subscribe('', undefined, unknown).next()).toMatchObject(
      errorOf('PERSISTED_OPERATION_NOT_FOUND'),
    );
    // The socket goes on.
    expect(await socket.subscribe('', undefined, asApollo(sha256(HELLO))).next()).toEqual({
      data: { hello: 'world' },
    });
    await socket.close();
  });

  it('what is on the list is validated like everything else', async () => {
    const { url } = await serve(mode);
    expect(await send(url, asApollo(sha256('{ nothing }')))).toMatchObject({
      body: { errors: [{ message: 'Cannot query field "nothing" on type "Query".' }] },
    });
  });
});

describe('where persisted operations are required', () => {
  it('no other is run, over any transport', async () => {
    const { url, ticks } = await serve('required');
    const { body, status } = await post(url, '{ actor }');
    expect([status, body]).toMatchObject([200, errorOf('PERSISTED_OPERATION_REQUIRED')]);
    const socket = wsClient(url);
    expect(await socket.subscribe('subscription { flood }').next()).toMatchObject(
      errorOf('PERSISTED_OPERATION_REQUIRED'),
    );
    await socket.close();
    const response = await fetch(
      `${url}/graphql?query=${encodeURIComponent('subscription { letter { name } }')}`,
      {
        headers: { Accept: 'text/event-stream' },
      },
    );
    expect(await response.text()).toContain('PERSISTED_OPERATION_REQUIRED');
    expect(ticks.subscribed).toBe(0);
  });

  it('naming one does not let another document through', async () => {
    const { url } = await serve('required');
    expect(await send(url, { query: '{ actor }', ...asApollo(sha256(HELLO)) })).toMatchObject({
      body: errorOf('PERSISTED_OPERATION_REQUIRED'),
    });
  });

  it('one that is sent letter for letter is run', async () => {
    const { url } = await serve('required');
    expect((await post(url, HELLO)).body).toEqual({ data: { hello: 'world' } });
  });
});

describe('where persisted operations are off', () => {
  it('documents are sent, and an id is answered so that clients send the document', async () => {
    const { url } = await serve('off');
    expect((await post(url, HELLO)).body).toEqual({ data: { hello: 'world' } });
    expect(await send(url, asApollo(sha256('{ actor }')))).toMatchObject({
      body: {
        errors: [
          {
            message: 'PersistedQueryNotSupported',
            extensions: { code: 'PERSISTED_OPERATION_NOT_SUPPORTED' },
          },
        ],
      },
    });
  });
});

/** What a client sent, operation by operation. */
function recorded(): { fetch: typeof fetch; sent: { query?: string; documentId?: string }[] } {
  const sent: { query?: string; documentId?: string }[] = [];
  return {
    sent,
    fetch: (input, init) => {
      sent.push(JSON.parse(init?.body as string) as { query?: string });
      return fetch(input, init);
    },
  };
}

function apolloClient(url: string, fetch: typeof globalThis.fetch): ApolloClient {
  return new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.from([
      new PersistedQueryLink({ sha256 }),
      new HttpLink({ uri: `${url}/graphql`, fetch }),
    ]),
  });
}

const HELLO_DOCUMENT: DocumentNode = gql(HELLO);

describe('Apollo with its persisted queries', () => {
  it('sends the hash alone of what is on the list', async () => {
    const text = print(HELLO_DOCUMENT);
    const { url } = await serve('required', JSON.stringify({ [sha256(text)]: text }));
    const { fetch, sent } = recorded();
    const { data } = await apolloClient(url, fetch).query({ query: HELLO_DOCUMENT });
    expect(data).toEqual({ hello: 'world' });
    expect(sent).toEqual([expect.not.objectContaining({ query: expect.anything() as unknown })]);
  });

  it.each(['allowed', 'off'] as const)(
    'sends the document of what is not, where they are %s',
    async (mode) => {
      const { url } = await serve(mode, '{}');
      const { fetch, sent } = recorded();
      const { data } = await apolloClient(url, fetch).query({ query: HELLO_DOCUMENT });
      expect(data).toEqual({ hello: 'world' });
      expect(sent.map(({ query }) => query !== undefined)).toEqual([false, true]);
    },
  );

  it('is refused what is not where they are required', async () => {
    const { url } = await serve('required', '{}');
    const { fetch, sent } = recorded();
    await expect(apolloClient(url, fetch).query({ query: HELLO_DOCUMENT })).rejects.toThrow(
      'No persisted operation has this id.',
    );
    expect(sent).toHaveLength(1);
  });
});

describe('urql with documents that have been replaced by their ids', () => {
  it('runs them', async () => {
    const { url } = await serve('required');
    const { fetch, sent } = recorded();
    const query = {
      kind: Kind.DOCUMENT,
      definitions: [],
      documentId: sha256(HELLO),
    } as unknown as DocumentNode;
    const replaced: Exchange =
      ({ forward }) =>
      (operations) =>
        forward(
          pipe(
            operations,
            map((operation) => ({ ...operation, query })),
          ),
        );
    const exchanges = [replaced, fetchExchange];
    const client = new UrqlClient({ url: `${url}/graphql`, preferGetMethod: false, exchanges, fetch });
    const result = await client.query<unknown>(gql(HELLO), {}).toPromise();
    expect([result.data, result.error]).toEqual([{ hello: 'world' }, undefined]);
    expect(sent).toMatchObject([{ documentId: sha256(HELLO) }]);
  });
});

describe('a list of operations', () => {
  it.each([
    ['[]', 'it is not a JSON object of ids and documents'],
    ['{', 'it is not JSON'],
    ['{"a": 1}', 'the document of a is not a string'],
    [
      JSON.stringify({ [sha256('{ other }')]: HELLO }),
      `the id ${sha256('{ other }')} is not the SHA-256 of its document, which is ${sha256(HELLO)}`,
    ],
  ])('such as %s is refused', (text, reason) => {
    expect(() => parsePersistedOperations(text)).toThrow(reason);
  });
});
