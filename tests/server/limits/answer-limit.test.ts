import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type GraphQLError, Kind, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../../src/graphql/schema.ts';
import { createAnswerLimit } from '../../../src/server/limits/answer-limit.ts';
import { MAX_ANSWER_FIELDS } from '../../../src/server/limits/limits.ts';
import {
  createPersistedOperations,
  parsePersistedOperations,
} from '../../../src/server/http/persisted-operations.ts';
import { DASHBOARD_QUERIES } from '../../support/dashboard-queries.ts';
import { post, sseClient, type Variables, wsClient } from '../../support/graphql-clients.ts';
import { startTestServer, type TestServer } from '../test-server.ts';

const ID = 'job_01jnr0000000000000000000aa';
const MESSAGE = `The query is larger than the limit of ${MAX_ANSWER_FIELDS} fields in its answer.`;
const BYTES_MESSAGE =
  'The query is larger than the limit of 16000000 bytes in its answer (MAX_ANSWER_BYTES), each value counted as long as it may be.';
const REFUSED = { errors: [{ message: MESSAGE, extensions: { code: 'QUERY_LIMIT_EXCEEDED' } }] };

const { refusalOf: refuse } = createAnswerLimit(schema);

/** Executions of the job of executions of the job, so often. */
function pagesInPages(depth: number, page: string): string {
  return `${`executions${page} { nodes { job { `.repeat(depth)} id ${'} } }'.repeat(depth)}`;
}

/** A field under 240 names. */
function aliased(field: string): string {
  return Array.from({ length: 240 }, (_, at) => `a${at}: ${field}`).join(' ');
}

/** The refusal of a valid operation. */
function refusalOf(query: string, variables?: Variables, operationName?: string): GraphQLError | null {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  return refuse({ document, variables, operationName });
}

/** What a valid operation counts as: the smallest limit that lets it through. */
function fieldsOf(query: string, variables?: Variables): number {
  const document = parse(query);
  expect(validate(schema, document)).toEqual([]);
  for (let limit = 1; ; limit += 1) {
    if (createAnswerLimit(schema, { maxFields: limit }).refusalOf({ document, variables }) === null)
      return limit;
  }
}

describe('What an answer may hold', () => {
  it('counts each field, and each row of a page with its own', () => {
    expect(fieldsOf('{ schedulerStatus { dueJobs nextRunAt } }')).toBe(3);
    expect(fieldsOf('{ jobs(first: 7) { totalCount nodes { id name } } }')).toBe(2 + 1 + 7 * 3);
    expect(fieldsOf('{ jobs(first: 7) { edges { cursor node { id } } } }')).toBe(2 + 7 * 4);
    expect(fieldsOf('{ jobs(first: 7) { nodes { executions(last: 3) { nodes { id } } } } }')).toBe(
      2 + 7 * (1 + 2 + 3 * 2),
    );
  });

  it.each([
    ['', {}, 20],
    ['(first: 7)', {}, 7],
    ['(last: 7)', {}, 7],
    ['(first: null, last: 7)', {}, 7],
    ['(first: null)', {}, 20],
    ['(first: $n)', { n: 7 }, 7],
    ['(last: $n)', { n: 7 }, 7],
    ['(first: $n, last: 7)', {}, 7],
    ['(first: $n)', {}, 20],
    ['(first: $n)', { n: null }, 20],
    ['(first: $d)', {}, 9],
    ['(first: $d)', { d: null }, 20],
    ['(first: $d)', { d: 7 }, 7],
    // Refused by others, and until then as large as can be.
    ['(first: $n)', { n: 'many' }, 100],
    ['(first: $n)', { n: 1e9 }, 100],
    ['(first: 101)', {}, 100],
    ['(first: -5)', {}, 0],
  ])('finds how long a page is by jobs%s and %j', (page, variables, rows) => {
    const query = `query ($n: Int, $d: Int = 9) { jobs${page} { nodes { id } } other: tags(first: $n, last: $d) { pageInfo { endCursor } } }`;
    expect(fieldsOf(query, variables)).toBe(2 + rows * 2 + 3);
  });

  it('finds how long other lists are', () => {
    expect(fieldsOf(`{ job(id: "${ID}") { upcomingRuns } }`)).toBe(2 + 5);
    expect(fieldsOf(`{ job(id: "${ID}") { upcomingRuns(count: 30) } }`)).toBe(2 + 30);
    expect(fieldsOf('query ($n: Int) { plannedRuns(limit: $n) { at } }', { n: 1000 })).toBe(1 + 1000 * 2);
    expect(fieldsOf(`{ nodes(ids: ["${ID}", "${ID}"]) { id } }`)).toBe(1 + 2 * 2);
    expect(fieldsOf(`{ nodes(ids: "${ID}") { id } }`)).toBe(1 + 2);
    expect(fieldsOf('query ($ids: [ID!]!) { nodes(ids: $ids) { id } }', { ids: [ID, ID, ID] })).toBe(
      1 + 3 * 2,
    );
    expect(fieldsOf(`{ job(id: "${ID}") { metrics { series { from } } tags { name } } }`)).toBe(
      2 + 1 + 25 * 2 + 1 + 10 * 2,
    );
  });

  it.each(['toString', 'constructor', '__proto__'])(
    'takes a variable for what was sent, though it is called %s',
    (name) => {
      const ids = JSON.stringify(Array.from({ length: 50 }, () => ID));
      const query = `query ($${name}: [ID!]! = ${ids}) { nodes(ids: $${name}) { id } }`;
      expect(fieldsOf(query, {})).toBe(1 + 50 * 2);
      expect(fieldsOf(query, JSON.parse(`{ "${name}": ["${ID}"] }`) as Variables)).toBe(1 + 2);
    },
  );

  it('looks into fragments, on interfaces too, and takes conditions as met', () => {
    const page = 'executions(first: 50) { nodes { ...Run } }';
    const run = 'fragment Run on Execution { id job { name } }';
    const rows = 2 + 50 * (1 + 3);
    const inner = rows - 1;
    expect(fieldsOf(`{ ...All } fragment All on Query { ${page} } ${run}`)).toBe(rows);
    expect(
      fieldsOf(
        `{ executions(first: 50) { ...Page } } fragment Page on ExecutionConnection { nodes { ...Run } } ${run}`,
      ),
    ).toBe(rows);
    expect(fieldsOf(`{ ... @include(if: false) { ${page} } } ${run}`)).toBe(rows);
    expect(
      fieldsOf(`{ a: executions(first: 50) @skip(if: true) { nodes { ...Run @skip(if: true) } } } ${run}`),
    ).toBe(rows);
    expect(
      fieldsOf(`{ node(id: "${ID}") { __typename ... on Job { ${page} } ... on Tag { name } } } ${run}`),
    ).toBe(1 + 1 + 1 + inner + 1);
    expect(fieldsOf(`subscription { jobEvents { ... on JobEvent { job { ${page} } } } } ${run}`)).toBe(
      2 + 1 + inner,
    );
  });

  it('counts aliases each by itself, and nothing of introspection', () => {
    expect(fieldsOf('{ a: jobs(first: 7) { nodes { id } } b: jobs(first: 8) { nodes { id } } }')).toBe(
      2 + 7 * 2 + 2 + 8 * 2,
    );
    expect(fieldsOf('{ __schema { types { fields { args { name } } } } }')).toBe(1);
  });

  it('measures the operation that is executed, with the variables that come with it', () => {
    const query = `query Small { jobs { nodes { id } } } query Large($n: Int) { jobs(first: $n) { nodes { ${pagesInPages(2, '(first: $n)')} } } }`;
    const document = parse(query);
    for (let times = 0; times < 2; times += 1) {
      expect(refuse({ document, operationName: 'Small' })).toBeNull();
      expect(refuse({ document, operationName: 'Large', variables: { n: 5 } })).toBeNull();
      expect(refuse({ document, operationName: 'Large', variables: { n: 100 } })?.message).toBe(MESSAGE);
    }
  });

  it('is measured once for each fragment, however often fragments spread one another', () => {
    const fragments = Array.from(
      { length: 60 },
      (_, i) => `fragment F${i} on Job { ${i < 59 ? `...F${i + 1} ...F${i + 1}` : 'id'} }`,
    );
    const query = `{ job(id: "${ID}") { ...F0 } } ${fragments.join(' ')}`;
    expect(refuse({ document: parse(query) })?.message).toBe(MESSAGE);
  });

  it.each([
    ['aliases of a long text', `{ executions(first: 100) { nodes { ${aliased('responseBody')} } } }`],
    [
      'aliases of JSON in lists in pages',
      `{ jobs(first: 8) { nodes { executions { nodes { job { ${aliased('body')} } } } } } }`,
    ],
    [
      'long aliases',
      `{ jobs(first: 100) { nodes { executions(first: 100) { nodes { ${'a'.repeat(2_000)}: id } } } } }`,
    ],
  ])('counts long texts and JSON as long as they may be: %s', (_what, query) => {
    expect(refusalOf(query)?.message).toBe(BYTES_MESSAGE);
    const { maxFields, maxBytes } = { maxFields: MAX_ANSWER_FIELDS, maxBytes: 1e12 };
    expect(
      createAnswerLimit(schema, { maxFields, maxBytes }).refusalOf({ document: parse(query) }),
    ).toBeNull();
  });

  it('lets a page with one long text each through', () => {
    expect(refusalOf('{ executions(first: 100) { nodes { id responseBody errorMessage } } }')).toBeNull();
    expect(refusalOf('{ jobs(first: 45) { nodes { id body headers description } } }')).toBeNull();
  });
});

describe('The limit of what an answer may hold', () => {
  const DOCUMENTS = join(import.meta.dirname, '../../../client/documents');
  const client = parse(
    readdirSync(DOCUMENTS)
      .map((file) => readFileSync(join(DOCUMENTS, file), 'utf8'))
      .join('\n'),
  );
  /** What is let through with room for three times as much. */
  const { refusalOf: refuseThird } = createAnswerLimit(schema, { maxFields: MAX_ANSWER_FIELDS / 3 });

  it('is far from what the client’s documents ask for with pages as large as can be', () => {
    for (const definition of client.definitions) {
      if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
      // No number: whatever is a size is then the largest.
      const variables = Object.fromEntries(
        (definition.variableDefinitions ?? []).map(({ variable }) => [variable.name.value, 'most']),
      );
      const operationName = definition.name?.value;
      expect([operationName, refuseThird({ document: client, operationName, variables })]).toEqual([
        operationName,
        null,
      ]);
    }
  });

  it.each(DASHBOARD_QUERIES)('is far from what a dashboard asks for: %s', (_what, _atMost, query) => {
    expect(refuseThird({ document: parse(query) })).toBeNull();
  });

  it('is far from a page of a hundred jobs with everything', () => {
    expect(
      refuseThird({
        document: parse(`{ jobs(first: 100) { totalCount pageInfo { endCursor } nodes {
          id key name status schedule timezone nextRunAt version tags { id name color } upcomingRuns
          lastExecution { id status startedAt durationMs errorMessage }
          executions(first: 10) { nodes { id status trigger scheduledAt startedAt finishedAt durationMs responseStatus } }
          metrics { successRate executionTimeMs { p50 p95 p99 max } series { from to success failed skipped cancelled } }
          dependencies { id dependsOn { id name } } alerts { id channel events } } } }`),
      }),
    ).toBeNull();
  });

  it('is not reached by a hundred jobs with their last hundred executions', () => {
    const summary =
      'id status trigger scheduledAt createdAt startedAt finishedAt durationMs latenessMs attemptCount';
    expect(
      refusalOf(`{ jobs(first: 100) { nodes { id name executions(first: 100) { nodes { ${summary} } } } } }`),
    ).toBeNull();
  });

  it.each([
    ['pages in pages', `{ job(id: "${ID}") { ${pagesInPages(4, '(first: 100)')} } }`],
    ['pages of the usual size in pages', `{ job(id: "${ID}") { ${pagesInPages(4, '')} } }`],
    [
      'jobs that wait for jobs',
      `{ jobs { nodes { ${'dependents { job { '.repeat(4)} id ${'} }'.repeat(4)} } } }`,
    ],
    [
      'executions of executions',
      `{ executions { nodes { ${'triggered { '.repeat(4)} id ${'}'.repeat(4)} } } }`,
    ],
  ])('refuses %s', (_what, query) => {
    expect(refusalOf(query)?.message).toBe(MESSAGE);
  });
});

describe('A query whose answer may be too large', () => {
  const SMALL = `query ($n: Int) { job(id: "${ID}") { ${pagesInPages(3, '(first: $n)')} } }`;
  const FEED = `subscription ($n: Int) { jobEvents { ... on JobEvent { job { ${pagesInPages(3, '(first: $n)')} } } } }`;
  const MUTATION = `mutation ($n: Int) { deleteJob(input: { id: "${ID}" }) { job { ${pagesInPages(3, '(first: $n)')} } } }`;

  const LARGE = { n: 100 };

  /** The API's schema without what answers it: nothing that is refused gets so far. */
  function serve(options: Parameters<typeof startTestServer>[0] = {}): Promise<TestServer> {
    return startTestServer({ schema, ...options });
  }

  it.each([
    ['query', SMALL],
    ['mutation', MUTATION],
  ])('is refused over HTTP as a %s, also where its document was executed before', async (_kind, query) => {
    const { url } = await serve();
    const headers = { Accept: 'application/graphql-response+json' };
    for (let times = 0; times < 2; times += 1) {
      const refused = await post(url, query, LARGE, headers);
      expect([refused.status, refused.body]).toEqual([400, REFUSED]);
      // With smaller pages it is begun, whatever comes of it without what it is executed with.
      const begun = await post(url, query, { n: 5 }, headers);
      expect(begun.status).toBe(200);
      expect(begun.body).toHaveProperty('data');
    }
  });

  describe('for its bytes', () => {
    const BYTES_REFUSED = {
      errors: [{ message: BYTES_MESSAGE, extensions: { code: 'QUERY_LIMIT_EXCEEDED' } }],
    };
    const HEAVY = `{ executions(first: 100) { nodes { ${aliased('responseBody')} } } }`;
    const HEAVY_FEED = `subscription { jobEvents { ... on JobEvent { job { executions(first: 100) { nodes { ${aliased('responseBody')} } } } } } }`;

    it.each([undefined, 'application/graphql-response+json'])(
      'is refused over HTTP to who accepts %s',
      async (accept) => {
        const { url } = await serve();
        const { status, body } = await post(url, HEAVY, {}, accept === undefined ? {} : { Accept: accept });
        expect([status, body]).toEqual([accept === undefined ? 200 : 400, BYTES_REFUSED]);
      },
    );

    it('is refused over an event stream', async () => {
      const { url } = await serve();
      const feed = await sseClient(url, HEAVY_FEED);
      expect(await feed.next()).toEqual(BYTES_REFUSED);
      feed.close();
    });

    it.each([HEAVY, HEAVY_FEED])('is refused over a websocket, which goes on', async (query) => {
      const { url } = await serve();
      const client = wsClient(url);
      expect(await client.subscribe(query).next()).toEqual(BYTES_REFUSED);
      expect(await client.subscribe('{ __typename }').next()).toEqual({ data: { __typename: 'Query' } });
      await client.close();
    });
  });

  it('is refused where it is named instead of sent', async () => {
    const { url } = await serve({
      persistedOperations: createPersistedOperations(
        'required',
        parsePersistedOperations(JSON.stringify({ small: SMALL, feed: FEED })),
      ),
    });
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ documentId: 'small', variables: LARGE }),
    });
    expect(await response.json()).toEqual(REFUSED);
    const client = wsClient(url);
    const feed = client.subscribe('', LARGE, { documentId: 'feed' });
    expect(await feed.next()).toEqual(REFUSED);
    await client.close();
  });

  it('is refused as a subscription over an event stream', async () => {
    const { url } = await serve();
    const feed = await sseClient(url, FEED, LARGE);
    expect(await feed.next()).toEqual(REFUSED);
    feed.close();
  });

  it.each([
    ['subscription', FEED],
    ['query', SMALL],
    ['mutation', MUTATION],
  ])('is refused over a websocket as a %s', async (_kind, query) => {
    const { url } = await serve();
    const client = wsClient(url);
    expect(await client.subscribe(query, LARGE).next()).toEqual(REFUSED);
    // The socket goes on.
    expect(await client.subscribe('{ __typename }').next()).toEqual({ data: { __typename: 'Query' } });
    await client.close();
  });
});
