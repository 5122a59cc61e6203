import { describe, expect, it } from 'vitest';
import { post, wsClient } from '../../support/graphql-clients.ts';
import { startTestServer } from '../test-server.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };

function send(url: string, init: RequestInit): Promise<Response> {
  return fetch(`${url}/graphql`, init);
}

describe('GraphQL over HTTP', () => {
  it('answers a query sent by POST', async () => {
    const { url } = await startTestServer();
    const { status, body } = await post(url, '{ hello }');
    expect(status).toBe(200);
    expect(body).toEqual({ data: { hello: 'world' } });
  });

  it('answers a query sent by GET, with variables', async () => {
    const { url } = await startTestServer();
    const query = encodeURIComponent('query ($v: Even!) { even(value: $v) }');
    const response = await fetch(`${url}/graphql?query=${query}&variables=${encodeURIComponent('{"v":4}')}`);
    expect(await response.json()).toEqual({ data: { even: 4 } });
  });

  it('gives the context a request id, which the answer carries as a header', async () => {
    const { url } = await startTestServer();
    const { headers, body } = await post(url, '{ requestId actor }');
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(body.data).toEqual({ requestId: headers.get('x-request-id'), actor: 'anonymous' });
  });

  it('takes over a sane X-Request-Id and draws one in the place of another', async () => {
    const { url } = await startTestServer();
    const kept = await post(url, '{ requestId }', {}, { 'X-Request-Id': 'order-17:retry.2' });
    const drawn = await post(url, '{ requestId }', {}, { 'X-Request-Id': 'two words' });
    expect(kept.body.data).toEqual({ requestId: 'order-17:retry.2' });
    expect(drawn.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('writes one line for each request, with its id', async () => {
    const { url, logged } = await startTestServer();
    const { headers } = await post(url, '{ hello }');
    await post(url, '{ hello }');
    const [line] = logged('Request answered');
    expect(line).toMatchObject({
      level: 'debug',
      fields: { requestId: headers.get('x-request-id'), method: 'POST', path: '/graphql', status: 200 },
    });
  });

  it('refuses a mutation sent by GET', async () => {
    const { url, bumps } = await startTestServer();
    const response = await fetch(`${url}/graphql?query=${encodeURIComponent('mutation { bump }')}`);
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('POST');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'METHOD_NOT_ALLOWED' } }] });
    expect(bumps()).toBe(0);
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=b',
    'application/graphql',
  ])('refuses a mutation sent as %s, which any web page could send', async (type) => {
    const { url, bumps } = await startTestServer();
    const body = type.includes('urlencoded') ? 'query=mutation{bump}' : '{"query":"mutation { bump }"}';
    const response = await send(url, { method: 'POST', headers: { 'Content-Type': type }, body });
    expect(response.status).toBe(415);
    expect(await response.json()).toMatchObject({
      errors: [{ extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' } }],
    });
    expect(bumps()).toBe(0);
  });

  it.each([
    ['no JSON', '{"query": "{ hello }', 'The request body is not valid JSON.'],
    ['a batch', '[{"query":"{ hello }"}]', 'Send one operation in each request; batches are not supported.'],
    ['a number', '7', 'The request body must be a JSON object.'],
    ['null', 'null', 'The request body must be a JSON object.'],
    ['no query', '{}', 'Must provide query string.'],
    ['a query that is no text', '{"query": 7}', 'Expected "query" param to be a string, but given number.'],
  ])('refuses a body that is %s', async (_what, body, message) => {
    const { url, log } = await startTestServer();
    const response = await send(url, {
      method: 'POST',
      headers: { ...JSON_TYPE, Accept: 'application/graphql-response+json' },
      body,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ errors: [{ message, extensions: { code: 'BAD_REQUEST' } }] });
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('refuses variables in a GET that are no JSON', async () => {
    const { url } = await startTestServer();
    const response = await fetch(`${url}/graphql?query={hello}&variables={oops`);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'BAD_REQUEST' } }] });
  });

  it.each([
    ['utf-8', 200],
    ['UTF-8', 200],
    ['"utf-8"', 200],
    ['utf8', 200],
    ['utf-16', 415],
    ['"iso-8859-1"', 415],
    ['', 415],
  ])('answers JSON whose type says charset=%s with %i', async (charset, status) => {
    const { url } = await startTestServer();
    const response = await send(url, {
      method: 'POST',
      headers: { 'Content-Type': `application/json; profile=x; Charset=${charset}` },
      body: '{"query":"{ hello }"}',
    });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject(
      status === 200
        ? { data: { hello: 'world' } }
        : { errors: [{ extensions: { code: 'UNSUPPORTED_MEDIA_TYPE' } }] },
    );
  });

  it('refuses a body that is not UTF-8', async () => {
    const { url } = await startTestServer();
    const response = await send(url, {
      method: 'POST',
      headers: JSON_TYPE,
      body: Buffer.from([0x7b, 0xff, 0x7d]),
    });
    expect(response.status).toBe(400);
  });

  it('refuses a body of 10 MB with an answer that arrives', async () => {
    const { url } = await startTestServer();
    const { status, body } = await post(url, '{ hello }', { name: 'x'.repeat(10_000_000) });
    expect(status).toBe(413);
    expect(body.errors).toMatchObject([{ extensions: { code: 'REQUEST_TOO_LARGE' } }]);
    expect(body.errors?.[0]?.message).toContain('1000000 bytes');
  });

  it('refuses other methods and says which are allowed', async () => {
    const { url } = await startTestServer();
    const response = await send(url, { method: 'PUT', body: '{}' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, POST, OPTIONS');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'METHOD_NOT_ALLOWED' } }] });
  });

  it('answers an unknown path with 404 as JSON', async () => {
    const { url } = await startTestServer();
    const response = await fetch(`${url}/nowhere`);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'NOT_FOUND' } }] });
  });

  it('tells a client that accepts no event stream that a subscription needs one', async () => {
    const { url, ticks } = await startTestServer();
    const { status, body } = await post(url, 'subscription { tick }', {}, { Accept: 'application/json' });
    expect(status).toBe(406);
    expect(body.errors).toMatchObject([{ extensions: { code: 'NOT_ACCEPTABLE' } }]);
    expect(ticks.returned).toBe(ticks.subscribed);
  });
});

describe('Errors', () => {
  it('hides an unexpected error behind an id under which the log has it', async () => {
    const { url, logged } = await startTestServer();
    const { body } = await post(url, '{ hello fault }');
    const errorId = body.errors?.[0]?.extensions?.['errorId'];
    expect(body).toEqual({
      data: { hello: 'world', fault: null },
      errors: [
        {
          message: 'Internal error',
          path: ['fault'],
          locations: expect.anything() as unknown,
          extensions: { code: 'INTERNAL_ERROR', errorId: expect.any(String) as unknown },
        },
      ],
    });
    const [line] = logged('Unexpected error while answering a request');
    expect(line?.fields).toMatchObject({ errorId, path: 'fault' });
    expect(line?.fields['error']).toMatchObject({ message: 'relation "secrets" does not exist' });
    expect(logged('Unexpected error while answering a request')).toHaveLength(1);
  });

  it('hides why the context could not be made', async () => {
    const { url, logged } = await startTestServer({
      createContext: () => Promise.reject(new Error('password of admin is wrong')),
    });
    const { status, body } = await post(url, '{ hello }');
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain('password');
    expect(body.errors).toMatchObject([
      { message: 'Internal error', extensions: { code: 'INTERNAL_ERROR' } },
    ]);
    expect(logged('Unexpected error while answering a request')).toHaveLength(1);
  });

  it('passes on an error that carries a code', async () => {
    const { url, log } = await startTestServer();
    const { body } = await post(url, '{ refusal }');
    expect(body.errors).toMatchObject([
      { message: 'Not for you', path: ['refusal'], extensions: { code: 'FORBIDDEN' } },
    ]);
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it.each([
    ['{ hello', {}, 'GRAPHQL_PARSE_FAILED'],
    ['{ nothing }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['{ even(value: 3) }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription { tick @skip(if: true) }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription ($v: Boolean!) { tick @include(if: $v) }', { v: true }, 'GRAPHQL_VALIDATION_FAILED'],
    ['subscription { ... @skip(if: true) { tick } }', {}, 'GRAPHQL_VALIDATION_FAILED'],
    [
      'subscription { ...A } fragment A on Subscription { ... { tick @skip(if: true) } }',
      {},
      'GRAPHQL_VALIDATION_FAILED',
    ],
    ['query ($v: Even!) { even(value: $v) }', { v: 3 }, 'BAD_USER_INPUT'],
    ['query ($v: Even!) { even(value: $v) }', {}, 'BAD_USER_INPUT'],
    ['query A { hello } query B { hello }', {}, 'OPERATION_RESOLUTION_FAILURE'],
  ])('answers %s with %j as the client’s mistake', async (query, variables, code) => {
    const { url, log } = await startTestServer();
    const answer = await post(url, query, variables, { Accept: 'application/graphql-response+json' });
    expect(answer.status).toBe(400);
    expect(answer.body.errors?.[0]?.extensions).toEqual({ code });
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
    // The second time the document comes out of the cache.
    const again = await post(url, query, variables, { Accept: 'application/graphql-response+json' });
    expect(again.body).toEqual(answer.body);
  });

  it.each(['{ hello @include(if: $v) }', '{ ... @skip(if: $v) { hello } }'])(
    'answers %s on nothing as the client’s mistake',
    async (selection) => {
      const { url, log } = await startTestServer();
      // Valid, since the variable has a default; null is a value all the same.
      const { body } = await post(url, `query ($v: Boolean = true) ${selection}`, { v: null });
      expect(body.errors).toMatchObject([
        {
          message: 'Argument "if" of non-null type "Boolean!" must not be null.',
          extensions: { code: 'BAD_USER_INPUT' },
        },
      ]);
      expect(log.filter(({ level }) => level === 'error')).toEqual([]);
    },
  );

  it('names what was wrong with a variable', async () => {
    const { url } = await startTestServer();
    const { body } = await post(url, 'query ($v: Even!) { even(value: $v) }', { v: 3 });
    expect(body.errors?.[0]?.message).toBe(
      'Variable "$v" got invalid value 3; Expected type "Even". Even numbers only',
    );
  });
});

describe('Query limits', () => {
  const nested = (depth: number) => `{ ${'node { '.repeat(depth - 1)} name ${'}'.repeat(depth - 1)} }`;

  it('accepts a depth of 15 and refuses 16', async () => {
    const { url } = await startTestServer();
    expect((await post(url, nested(15))).body.errors).toBeUndefined();
    expect((await post(url, nested(16))).body.errors).toMatchObject([
      { extensions: { code: 'QUERY_LIMIT_EXCEEDED' } },
    ]);
  });

  it('accepts the introspection of clients, which nests deeper', async () => {
    const { getIntrospectionQuery } = await import('graphql');
    const { url } = await startTestServer();
    const { body } = await post(
      url,
      getIntrospectionQuery({ descriptions: true, specifiedByUrl: true, inputValueDeprecation: true }),
    );
    expect(body.errors).toBeUndefined();
    expect(body.data).toHaveProperty('__schema');
  });

  it.each([
    ['aliases', `{ ${Array.from({ length: 251 }, (_, i) => `a${i}: hello`).join(' ')} }`],
    ['fields', `{ ${'hello '.repeat(2001)} }`],
    ['tokens', `{ hello } ${'query A { hello } '.repeat(1100)}`],
    ['characters', `{ hello } # ${'x'.repeat(64_000)}`],
    [
      'introspections',
      `{ ${Array.from({ length: 21 }, (_, i) => `a${i}: __schema { __typename }`).join(' ')} }`,
    ],
    ['levels of fields', '{ node '.repeat(2_400)],
    ['levels of lists', `{ even(value: ${'['.repeat(4_900)}`],
    ['levels of objects', `{ even(value: ${'{ a: '.repeat(1_600)}1${'}'.repeat(1_600)}) }`],
    ['levels of fragments', `{ ${'... { '.repeat(201)}hello${' }'.repeat(201)} }`],
    [
      'fields hidden in fragments',
      `{ node { ...F0 } } ${Array.from({ length: 12 }, (_, i) => `fragment F${i} on Node { ${i < 11 ? `...F${i + 1} ...F${i + 1}` : 'name'} }`).join(' ')}`,
    ],
  ])('refuses too many %s', async (_what, query) => {
    const { url } = await startTestServer();
    const { body } = await post(url, query);
    expect(body.errors).toMatchObject([{ extensions: { code: 'QUERY_LIMIT_EXCEEDED' } }]);
    expect(body.data).toBeUndefined();
  });

  it('count no brackets in texts and comments', async () => {
    const { url } = await startTestServer();
    const brackets = '{['.repeat(300);
    const { body } = await post(url, `# ${brackets}\nquery ($v: String = "${brackets}") { hello(v: $v) }`);
    expect(body.errors?.[0]?.message).toContain('Unknown argument "v"');
  });

  it('accepts variables of 200 levels and refuses those of 201', async () => {
    const { url, log } = await startTestServer();
    // With the object of all variables around it.
    const nesting = (levels: number) => `{"v":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    const byPost = (variables: string) =>
      send(url, {
        method: 'POST',
        headers: JSON_TYPE,
        body: `{"query":"{ hello }","variables":${variables}}`,
      });
    expect(await (await byPost(nesting(200))).json()).toEqual({ data: { hello: 'world' } });
    const search = new URLSearchParams({ query: '{ hello }', variables: nesting(201) });
    for (const refused of [
      await byPost(nesting(201)),
      await byPost(nesting(100_000)),
      await fetch(`${url}/graphql?${search.toString()}`),
    ]) {
      expect([refused.status, await refused.json()]).toEqual([
        400,
        {
          errors: [
            { message: 'The variables nest deeper than 200 levels.', extensions: { code: 'BAD_REQUEST' } },
          ],
        },
      ]);
    }
    expect(log.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('leaves fragments that spread themselves to validation', async () => {
    const { url } = await startTestServer();
    const { body } = await post(url, '{ node { ...A } } fragment A on Node { node { ...A } }');
    expect(body.errors?.[0]?.extensions).toEqual({ code: 'GRAPHQL_VALIDATION_FAILED' });
  });
});

describe('Other origins', () => {
  it('run nothing by GET unless they are listed', async () => {
    const { url } = await startTestServer({ corsOrigins: ['https://jobs.example.com'] });
    const get = (headers: Record<string, string>) => fetch(`${url}/graphql?query={hello}`, { headers });
    const refused = await get({ 'Sec-Fetch-Site': 'cross-site' });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({
      errors: [{ extensions: { code: 'ORIGIN_NOT_ALLOWED' } }],
    });
    const listed = { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://jobs.example.com' };
    for (const headers of [listed, { 'Sec-Fetch-Site': 'same-origin' }, {}])
      expect((await get(headers)).status).toBe(200);
  });

  it('refuses the preflight of an origin that is not listed, and the body and the log name the setting', async () => {
    const { url, logged } = await startTestServer();
    const response = await send(url, { method: 'OPTIONS', headers: { Origin: 'https://evil.example' } });
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({
      errors: [
        {
          message: 'https://evil.example may not connect: the operator lists allowed origins in CORS_ORIGINS',
          extensions: { code: 'ORIGIN_NOT_ALLOWED' },
        },
      ],
    });
    expect(logged('A web page of an origin that CORS_ORIGINS does not name calls the API')).toHaveLength(1);
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(response.headers.get('access-control-allow-methods')).toBeNull();
  });

  it('lets a listed origin call', async () => {
    const { url } = await startTestServer({ corsOrigins: ['https://jobs.example.com'] });
    const preflight = await send(url, { method: 'OPTIONS', headers: { Origin: 'https://jobs.example.com' } });
    expect(preflight.headers.get('access-control-allow-origin')).toBe('https://jobs.example.com');
    expect(preflight.headers.get('access-control-allow-headers')).toContain('Content-Type');
    const { headers } = await post(url, '{ hello }', {}, { Origin: 'https://jobs.example.com' });
    expect(headers.get('access-control-allow-origin')).toBe('https://jobs.example.com');
    expect(headers.get('vary')).toContain('Origin');
  });

  it.each([
    [405, { method: 'PUT', headers: {} }],
    [415, { method: 'POST', headers: { 'Content-Type': 'text/plain' }, body: '{ hello }' }],
    [400, { method: 'POST', headers: JSON_TYPE, body: '{' }],
    [413, { method: 'POST', headers: JSON_TYPE, body: 'x'.repeat(1_000_001) }],
  ])('lets a page of a listed origin read why it is refused with %i', async (status, init) => {
    const { url } = await startTestServer({ corsOrigins: ['https://jobs.example.com'] });
    const answer = await send(url, {
      ...init,
      headers: { ...init.headers, Origin: 'https://jobs.example.com' },
    });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('access-control-allow-origin')).toBe('https://jobs.example.com');
  });
});

describe('While the database is away', () => {
  const away = () => Promise.reject(Object.assign(new Error('10.0.0.7'), { code: 'ECONNREFUSED' }));
  const unavailable = {
    message: 'The scheduler cannot reach its database at the moment; try again.',
    extensions: { code: 'UNAVAILABLE', errorId: expect.any(String) as unknown },
  };
  const EVENTS = { Accept: 'text/event-stream' };

  it('a request that cannot be begun is answered with 503, when to come back, and nothing of why', async () => {
    const { url, logged } = await startTestServer({ createContext: away });
    const { status, headers, body } = await post(url, '{ hello }');
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('5');
    expect(body).toEqual({ errors: [unavailable] });
    const [line] = logged('Request refused while the database is away');
    expect(line).toMatchObject({
      level: 'warn',
      fields: { errorId: body.errors?.[0]?.extensions?.['errorId'], error: { code: 'ECONNREFUSED' } },
    });
    expect(logged('Unexpected error while answering a request')).toEqual([]);
  });

  it('what was begun is answered with data and 200, as the specification asks', async () => {
    const { url } = await startTestServer();
    const answer = await post(url, '{ hello away }', {}, { Accept: 'application/graphql-response+json' });
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      data: { hello: 'world', away: null },
      errors: [{ ...unavailable, path: ['away'] }],
    });
  });

  it('an EventSource is told so as an event, and comes back', async () => {
    const { url } = await startTestServer({ createContext: away });
    const query = encodeURIComponent('subscription { tick }');
    const response = await fetch(`${url}/graphql?query=${query}`, { headers: EVENTS });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const text = await response.text();
    expect(text).toMatch(/^retry: 5000\nevent: next\ndata: \{"errors":\[\{.*"code":"UNAVAILABLE".*\}\n\n$/);
    expect(text).not.toMatch(/10\.0\.0\.7|"http"/);
  });

  it('a subscription over a websocket is told so, and the socket goes on', async () => {
    let isAway = true;
    const { url } = await startTestServer({ createContext: () => (isAway ? away() : {}) });
    const client = wsClient(url);
    expect((await client.subscribe('subscription { tick }').next()).errors).toEqual([unavailable]);
    isAway = false;
    expect(await client.subscribe('{ hello }').next()).toEqual({ data: { hello: 'world' } });
    await client.close();
  });
});

describe('A subscription that cannot begin', () => {
  it.each([
    ['refusedAtStart', 400, 'BAD_USER_INPUT'],
    ['faultAtStart', 500, 'INTERNAL_ERROR'],
    ['awayAtStart', 503, 'UNAVAILABLE'],
  ])('is refused by the status too: %s by %i', async (field, status, code) => {
    const { url } = await startTestServer();
    const { body, ...answer } = await post(
      url,
      `subscription { ${field} }`,
      {},
      { Accept: 'application/graphql-response+json' },
    );
    expect(answer.status).toBe(status);
    expect(body).toMatchObject({ errors: [{ path: [field], extensions: { code } }] });
    expect(body).not.toHaveProperty('data');
    expect(JSON.stringify(body)).not.toContain('10.0.0.7');
  });
});
