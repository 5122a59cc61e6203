import { describe, expect, it } from 'vitest';
import { createPersistedOperations } from '../../../src/server/http/persisted-operations.ts';
import { startTestServer } from '../test-server.ts';

type Answer = { status: number; headers: Record<string, string>; body: string };

async function ask(url: string, params: object, accept?: string): Promise<Answer> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(accept !== undefined && { Accept: accept }) },
    body: JSON.stringify(params),
  });
  const headers = Object.fromEntries(
    [...response.headers].filter(([name]) => name !== 'date' && name !== 'x-request-id'),
  );
  // Each fault has an id of its own.
  const body = (await response.text()).replaceAll(/"errorId":"[^"]+"/g, '"errorId":"…"');
  return { status: response.status, headers, body };
}

const LEGACY = 'application/json';
const MODERN = 'application/graphql-response+json';
const APOLLO = 'application/graphql-response+json,application/json;q=0.9';
const URQL =
  'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed';

describe('a request like one before', () => {
  it.each([LEGACY, MODERN, APOLLO, URQL, '*/*', undefined])(
    'is answered like it for whoever accepts %s',
    async (accept) => {
      const { url } = await startTestServer();
      const first = await ask(url, { query: '{ hello actor }' }, accept);
      expect(await ask(url, { query: '{ hello actor }' }, accept)).toEqual(first);
      expect(first).toMatchObject({ status: 200, body: '{"data":{"hello":"world","actor":"anonymous"}}' });
    },
  );

  it.each([
    ['a fault', { query: '{ fault }' }],
    ['a fault beside data', { query: '{ hello fault }' }],
    ['an error with a code', { query: '{ refusal }' }],
    ['a database that is away', { query: '{ away }' }],
    ['a wrong variable', { query: 'query ($v: Even!) { even(value: $v) }', variables: { v: 3 } }],
    ['a missing variable', { query: 'query ($v: Even!) { even(value: $v) }' }],
    ['an unclear operation', { query: 'query A { hello } query B { hello }' }],
    ['an unknown operation', { query: 'query A { hello }', operationName: 'B' }],
    ['a syntax error', { query: '{ hello' }],
    ['a validation error', { query: '{ nothing }' }],
    ['a subscription', { query: 'subscription { refusedAtStart }' }],
    ['no query', {}],
    ['a query that is no text', { query: 7 }],
    ['variables that are a list', { query: '{ hello }', variables: [] }],
    ['extensions that are a text', { query: '{ hello }', extensions: 'x' }],
    ['an operation name that is a number', { query: '{ hello }', operationName: 7 }],
    ['a parameter that nobody knows', { query: '{ hello }', more: true }],
    ['an id that nobody knows', { documentId: 'x' }],
  ])('is refused like it: %s', async (_what, params) => {
    for (const accept of [LEGACY, MODERN, APOLLO]) {
      const { url, logged } = await startTestServer();
      const first = await ask(url, params, accept);
      const lines = logged('Unexpected error while answering a request').length;
      // Now that everything about it is known that could be.
      await ask(url, { query: '{ hello }' }, accept);
      expect(await ask(url, params, accept)).toEqual(first);
      expect(logged('Unexpected error while answering a request')).toHaveLength(2 * lines);
    }
  });

  it('runs a mutation once', async () => {
    const { url, bumps } = await startTestServer();
    for (let time = 1; time <= 3; time += 1) {
      expect((await ask(url, { query: 'mutation { bump }' })).body).toBe(`{"data":{"bump":${time}}}`);
    }
    expect(bumps()).toBe(3);
  });

  it('does not run a mutation that comes by GET', async () => {
    const { url, bumps } = await startTestServer();
    await ask(url, { query: 'mutation { bump }' }, LEGACY);
    const response = await fetch(`${url}/graphql?query=mutation{bump}`, { headers: { Accept: LEGACY } });
    expect([response.status, bumps()]).toEqual([405, 1]);
  });

  it('has a context of its own', async () => {
    const { url } = await startTestServer();
    const requestIds = new Set<string>();
    for (let time = 1; time <= 3; time += 1)
      requestIds.add((await ask(url, { query: '{ requestId }' })).body);
    expect(requestIds.size).toBe(3);
  });

  it('is refused where a context cannot be made', async () => {
    let isHealthy = true;
    const { url, logged } = await startTestServer({
      createContext: (facts) =>
        isHealthy ? { ...facts } : Promise.reject(new Error('password of admin is wrong')),
    });
    await ask(url, { query: '{ hello }' }, LEGACY);
    isHealthy = false;
    const { status, body } = await ask(url, { query: '{ hello }' }, LEGACY);
    expect([status, body]).toEqual([
      500,
      '{"errors":[{"message":"Internal error","extensions":{"code":"INTERNAL_ERROR","errorId":"…"}}]}',
    ]);
    expect(logged('Unexpected error while answering a request')).toHaveLength(1);
  });

  it('runs what is persisted, and nothing else where that is required', async () => {
    const list = new Map([['hi', '{ hello }']]);
    const { url } = await startTestServer({
      persistedOperations: createPersistedOperations('required', list),
    });
    for (let time = 1; time <= 2; time += 1) {
      expect((await ask(url, { documentId: 'hi' })).body).toBe('{"data":{"hello":"world"}}');
      expect((await ask(url, { query: '{ actor }' })).body).toContain('PERSISTED_OPERATION_REQUIRED');
    }
  });
});
