import { type GraphQLInputType, isInputObjectType, isListType } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { schema } from '../../src/graphql/schema.ts';
import { createApiHarness, type ApiHarness } from '../graphql/api-harness.ts';
import { explain, nodesOf, type PlanNode } from './explain.ts';
import { BEGIN, fill } from './fill.ts';

const JOBS = 100_000;
const EXECUTIONS = 1_000_000;
/** A sort of fewer rows than these is none of a table. */
const MAX_SORTED_ROWS = 1_000;
/** Two pages of 20, and twice what has not ended. */
const MAX_ROWS_READ = 2_000;

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
  await fill(api.pool.options.connectionString ?? '', {
    jobs: JOBS,
    executions: EXECUTIONS,
    unfinished: 400,
  });
}, 240_000);

afterAll(() => api.close());

const DIRECTIONS = ['ASC', 'DESC'] as const;
const ENDS = ['first', 'last'] as const;
const ORDERS = {
  jobs: ['CREATED_AT', 'UPDATED_AT', 'NAME', 'NEXT_RUN_AT'],
  executions: ['CREATED_AT', 'SCHEDULED_AT', 'STARTED_AT', 'FINISHED_AT'],
} as const;
const LISTS = (['jobs', 'executions'] as const).flatMap((list) =>
  ORDERS[list].flatMap((field) =>
    DIRECTIONS.flatMap((direction) => ENDS.map((end) => [list, field, direction, end] as const)),
  ),
);

/** What is asked of each field that a filter can name: something that is found. */
const ASKED: Readonly<Record<'jobs' | 'executions', Readonly<Record<string, string>>>> = {
  jobs: {
    id: JSON.stringify(encodePublicId('Job', idOf(77_777))),
    key: '"key-7"',
    name: '"Job 7"',
    api: '"https://example.com/"',
    status: 'ACTIVE',
    tags: '"tag-1"',
    nextRunAt: '"2026-01-01T10:00:00.000Z"',
    createdAt: '"2025-01-01T10:00:00.000Z"',
  },
  executions: {
    id: JSON.stringify(encodePublicId('Execution', idOf(1))),
    jobId: JSON.stringify(encodePublicId('Job', idOf(7))),
    status: 'SUCCESS',
    trigger: 'SCHEDULE',
    failureReason: 'TIMEOUT',
    tags: '"tag-1"',
    scheduledAt: '"2025-01-10T00:00:00.000Z"',
    startedAt: '"2025-01-10T00:00:00.000Z"',
    finishedAt: '"2025-01-10T00:00:00.000Z"',
    createdAt: '"2025-01-10T00:00:00.000Z"',
    durationMs: '100',
    latenessMs: '20',
    responseStatus: '500',
    errorMessage: '"Status 500."',
    instanceId: '"an-instance"',
  },
};

/** Each operator of each field, as the schema has them but for some of {@link SEARCHES}, and two that combine some. */
const FILTERS = (['jobs', 'executions'] as const).flatMap((list) => {
  const where = schema.getType(list === 'jobs' ? 'JobWhere' : 'ExecutionWhere');
  if (!isInputObjectType(where)) throw new Error('There is no such input');
  const combined =
    list === 'jobs'
      ? 'OR: [{ status: [PAUSED] }, { name: { contains: "1" } }], NOT: { key: { eq: "key-5" } }'
      : 'OR: [{ status: [FAILED] }, { durationMs: { gte: 150 } }], NOT: { trigger: [REDRIVE] }';
  const single = Object.values(where.getFields())
    .filter(({ name }) => !['AND', 'OR', 'NOT'].includes(name))
    .flatMap(({ name, type }) => testsOf(name, type, ASKED[list][name] ?? ''))
    .filter((filter) => !/^api: \{ (eq|in):/.test(filter));
  return [...single, combined].map((filter) => [list, filter] as const);
});

function testsOf(name: string, type: GraphQLInputType, asked: string): string[] {
  const valueOf = (of: GraphQLInputType) => (isListType(of) ? `[${asked}]` : asked);
  if (!isInputObjectType(type)) return [`${name}: ${valueOf(type)}`];
  return Object.values(type.getFields()).map(
    (operator) => `${name}: { ${operator.name}: ${valueOf(operator.type)} }`,
  );
}

/** The id of a job, or of the first execution: by when it was created, and as which. */
function idOf(n: number): string {
  const at = Date.parse(BEGIN) + n * 1_000;
  const digits = (value: number) => value.toString(16).padStart(12, '0');
  return `${digits(at).slice(0, 8)}-${digits(at).slice(8)}-7000-8000-${digits(n)}`;
}

/**
 * What hardly any job has, and no index finds: all jobs are read for it, which takes 0.1 s for 100,000. An index would be
 * written at each plan of each job, when its next run moves on.
 */
const SEARCHES = [
  'key: { contains: "77777" }',
  'name: { contains: "77777" }',
  'api: { contains: "77777" }',
  'api: { startsWith: "https://example.com/77777" }',
  'api: { eq: "https://example.com/77777" }',
  'api: { in: ["https://example.com/77777"] }',
] as const;

/**
 * Filters whose rows are plentiful, but do not stand at the end that is read from: what stands before them is passed over.
 * docs/decisions/0007-filters-without-indexes.md says why no index finds them, and what helps.
 */
const PASSED_OVER: readonly (readonly [filters: RegExp, atMost: number])[] = [
  // One of 200.
  [/^durationMs: \{ eq/, 5_000],
  // One of 20, but a thousand at a time, the last of them 18,000 before the end.
  [/^(responseStatus: \{ (eq|gte)|errorMessage)/, 20_000],
  // What begins with 7 has no number from 80,000 on.
  [/^(key|name): \{ (contains|startsWith)/, 21_000],
  [/^nextRunAt: \{ lte?/, 65_000],
  // All that is newer, where the newest are asked for first.
  [/^(scheduledAt|startedAt|finishedAt): \{ lte?/, 610_000],
];

/** What no execution has, in columns without an index. */
const RARE = [
  'responseStatus: { eq: 418 }',
  'errorMessage: { contains: "nobody" }',
  'instanceId: ["nobody"]',
] as const;

/** Filters by which few are found among many: these must not be read. */
const FEW = [
  'status: [RUNNING]',
  'status: [PENDING, BLOCKED, RETRYING]',
  'status: [FAILED]',
  'status: [SKIPPED], trigger: [SCHEDULE]',
  'failureReason: [TIMEOUT]',
] as const;

describe(`a list of ${JOBS} jobs or ${EXECUTIONS} executions`, () => {
  it.each(LISTS)('walks an index: %s by %s %s, from its %s row', async (list, field, direction, end) => {
    const orderBy = `orderBy: [{ field: ${field}, direction: ${direction} }]`;
    const page = await walked(list, `${end}: 20, ${orderBy}`);
    const cursor = page.at(end === 'first' ? -1 : 0);
    const next = await walked(
      list,
      `${end}: 20, ${orderBy}, ${end === 'first' ? 'after' : 'before'}: "${cursor}"`,
    );
    expect(new Set([...page, ...next]).size).toBe(40);
    expect(rowsRead).toBeLessThan(MAX_ROWS_READ);
  });

  it.each(FILTERS)('of which only some are wanted walks one as well: %s, %s', async (list, where) => {
    await walked(list, `first: 20, where: { ${where} }`);
    const [, atMost] = PASSED_OVER.find(([filters]) => filters.test(where)) ?? [null, MAX_ROWS_READ];
    expect(rowsRead).toBeLessThan(atMost);
  });

  it.each([
    ['SCHEDULED_AT', 'scheduledAt'],
    ['STARTED_AT', 'startedAt'],
    ['FINISHED_AT', 'finishedAt'],
  ])('enters the index at the range that it is filtered by: by %s', async (field, column) => {
    const where = `where: { ${column}: { lt: "2025-01-10T00:00:00.000Z" } }`;
    const order = `orderBy: [{ field: ${field}, direction: DESC }]`;
    expect(await walked('executions', `first: 20, ${where}, ${order}`)).toHaveLength(20);
    expect(rowsRead).toBeLessThan(MAX_ROWS_READ);
  });

  it.each(RARE)('is read once at most for what no execution has: %s', async (where) => {
    const { cursors } = await read('executions', `first: 20, where: { ${where} }`);
    expect(cursors).toEqual([]);
    expect(rowsRead).toBeLessThanOrEqual(EXECUTIONS);
  });

  it.each(SEARCHES)('is read once for what hardly any job has: %s', async (where) => {
    const { cursors } = await read('jobs', `first: 20, where: { ${where} }`);
    expect(cursors).toHaveLength(1);
    expect(rowsRead).toBeLessThanOrEqual(JOBS + 1);
  });

  it.each(FEW.flatMap((where) => ENDS.map((end) => [where, end] as const)))(
    'finds few among many without reading those: %s, from its %s row',
    async (where, end) => {
      expect(await walked('executions', `${end}: 20, where: { ${where} }`)).toHaveLength(20);
      expect(rowsRead).toBeLessThan(MAX_ROWS_READ);
    },
  );
});

/** Each operator of each field, of what is found. */
const HISTORY_FILTERS = {
  deadLetters: [
    `jobId: [${ASKED.executions['jobId']}]`,
    'failureReason: [TIMEOUT]',
    'open: true',
    'tags: { hasAny: ["tag-1"] }',
    'tags: { hasAll: ["tag-1"] }',
    'tags: { hasNone: ["tag-1"] }',
    ...['gt', 'gte', 'lt', 'lte'].map((operator) => `failedAt: { ${operator}: "2025-01-10T00:00:00.000Z" }`),
  ],
  auditLog: [
    `jobId: [${ASKED.executions['jobId']}]`,
    'action: [CREATED]',
    'actor: { eq: "person-7" }',
    'actor: { in: ["person-7", "person-8"] }',
    'actor: { contains: "-7" }',
    'actor: { startsWith: "person-7" }',
    ...['gt', 'gte', 'lt', 'lte'].map((operator) => `at: { ${operator}: "2025-01-02T00:00:00.000Z" }`),
  ],
} as const;

describe('a list of 50000 dead letters or 200000 audit entries', () => {
  const cases = (['deadLetters', 'auditLog'] as const).flatMap((list) =>
    ['', ...HISTORY_FILTERS[list].map((filter) => `where: { ${filter} }`)].flatMap((where) =>
      ENDS.map((end) => [list, where, end] as const),
    ),
  );

  it.each(cases)('walks an index: %s %s, from its %s row', async (list, where, end) => {
    const page = await walked(list, `${end}: 20, ${where}`);
    expect(page.length).toBeGreaterThan(0);
    if (page.length === 20) {
      const cursor = page.at(end === 'first' ? -1 : 0);
      const next = await walked(
        list,
        `${end}: 20, ${end === 'first' ? 'after' : 'before'}: "${cursor}", ${where}`,
      );
      expect(new Set([...page, ...next]).size).toBeGreaterThan(20);
    }
    expect(rowsRead).toBeLessThan(MAX_ROWS_READ);
  });
});

describe('of each of 100 jobs with a thousand executions', () => {
  it.each([
    ['first: 3, where: { status: [FAILED] }', 3],
    ['last: 3, where: { status: [FAILED] }', 3],
    ['first: 3, where: { failureReason: [HTTP_STATUS] }', 3],
    ['first: 3, where: { status: [RUNNING, PENDING] }', 0],
    ['first: 3, where: { trigger: [SCHEDULE] }', 3],
    ['first: 3, orderBy: [{ field: CREATED_AT, direction: ASC }]', 3],
  ])('a page is read without the rest: %s', async (args, found) => {
    const { data } = await explained(
      `{ jobs(first: 100, orderBy: [{ field: CREATED_AT, direction: ASC }]) { nodes { executions(${args}) { nodes { id } } } } }`,
    );
    const { jobs } = data as { jobs: { nodes: { executions: { nodes: unknown[] } }[] } };
    expect(jobs.nodes).toHaveLength(100);
    for (const { executions } of jobs.nodes) expect(executions.nodes.length).toBeGreaterThanOrEqual(found);
    expect(rowsRead).toBeLessThan(MAX_ROWS_READ);
  });
});

type List = 'jobs' | 'executions' | 'deadLetters' | 'auditLog';

/** How many rows of the big tables the last page has read. */
let rowsRead = 0;

/** Reads a page, and requires of each of its statements that it reads no table from end to end, and sorts none. */
async function walked(list: List, args: string): Promise<string[]> {
  const { cursors, plans } = await read(list, args);
  for (const { text, nodes } of plans) {
    for (const node of nodes) {
      const shown = `${text}\n${JSON.stringify(node).slice(0, 600)}`;
      if (isBig(node)) expect(node['Node Type'], shown).not.toBe('Seq Scan');
      if (node['Node Type'] === 'Sort') expect(rowsInto(node), shown).toBeLessThan(MAX_SORTED_ROWS);
    }
  }
  return cursors;
}

/** Reads a page: the cursors of its rows, and how they were found. */
async function read(
  list: List,
  args: string,
): Promise<{ cursors: string[]; plans: { text: string; nodes: PlanNode[] }[] }> {
  const { data, plans } = await explained(`{ ${list}(${args}) { edges { cursor node { id } } } }`);
  const lists = data as Record<string, { edges: { cursor: string }[] }>;
  return { cursors: (lists[list]?.edges ?? []).map(({ cursor }) => cursor), plans };
}

/** Answers a query, and how each of its statements is carried out. */
async function explained(
  source: string,
): Promise<{ data: unknown; plans: { text: string; nodes: PlanNode[] }[] }> {
  api.takeQueries();
  const data = await api.query<unknown>(source);
  const plans = [];
  for (const { text, values } of api.takeQueries()) {
    if (/^\s*(--.*\s+)*SELECT/.test(text))
      plans.push({ text, nodes: nodesOf(await explain(api.pool, text, values)) });
  }
  rowsRead = 0;
  for (const node of plans.flatMap(({ nodes }) => nodes).filter(isBig))
    rowsRead += Math.round(
      (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'],
    );
  return { data, plans };
}

/** How many rows a node was given, whatever it hands on. */
function rowsInto(node: PlanNode): number {
  return (node.Plans ?? []).reduce((sum, from) => sum + from['Actual Rows'] * from['Actual Loops'], 0);
}

function isBig(node: PlanNode): boolean {
  return ['jobs', 'job_executions', 'failed_jobs_dlq', 'job_audit_log'].includes(node['Relation Name'] ?? '');
}
