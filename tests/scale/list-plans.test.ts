import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApiHarness, type ApiHarness } from '../graphql/api-harness.ts';
import { explain, nodesOf } from './explain.ts';
import { fill } from './fill.ts';

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

/** A filter by each field that there is an operator for. */
const FILTERS = {
  jobs: [
    'key: { eq: "key-77777" }',
    'key: { in: ["key-1", "key-2"] }',
    'name: { startsWith: "Job 1" }',
    'name: { contains: "7" }',
    'status: [ACTIVE]',
    'api: { contains: "example" }',
    'tags: { hasAny: ["tag-1"] }',
    'tags: { hasAll: ["tag-1", "tag-2"] }',
    'tags: { hasNone: ["tag-1"] }',
    'nextRunAt: { gte: "2026-01-01T00:00:00.000Z" }',
    'createdAt: { gte: "2025-01-01T01:00:00.000Z", lt: "2025-01-01T02:00:00.000Z" }',
    'OR: [{ status: [PAUSED] }, { name: { contains: "1" } }], NOT: { key: { eq: "key-5" } }',
  ],
  executions: [
    'status: [SUCCESS]',
    'status: [FAILED]',
    'trigger: [SCHEDULE]',
    'trigger: [MANUAL]',
    'failureReason: [TIMEOUT]',
    'tags: { hasAny: ["tag-1"] }',
    'scheduledAt: { gte: "2025-01-10T00:00:00.000Z" }',
    'startedAt: { gte: "2025-01-10T00:00:00.000Z" }',
    'finishedAt: { lt: "2025-01-10T00:00:00.000Z" }',
    'createdAt: { gte: "2025-01-02T00:00:00.000Z", lt: "2025-01-03T00:00:00.000Z" }',
    'durationMs: { gte: 100 }',
    'latenessMs: { lte: 20 }',
    'responseStatus: { eq: 500 }',
    'errorMessage: { contains: "500" }',
    'instanceId: ["an-instance"]',
    'OR: [{ status: [FAILED] }, { durationMs: { gte: 150 } }], NOT: { trigger: [REDRIVE] }',
  ],
} as const;

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

  it.each(FILTERS.jobs)('of which only some are wanted walks one as well: jobs, %s', async (where) => {
    await walked('jobs', `first: 20, where: { ${where} }`);
  });

  it.each(FILTERS.executions)(
    'of which only some are wanted walks one as well: executions, %s',
    async (where) => {
      await walked('executions', `first: 20, where: { ${where} }`);
    },
  );

  it.each(FEW.flatMap((where) => ENDS.map((end) => [where, end] as const)))(
    'finds few among many without reading those: %s, from its %s row',
    async (where, end) => {
      expect(await walked('executions', `${end}: 20, where: { ${where} }`)).toHaveLength(20);
      expect(rowsRead).toBeLessThan(MAX_ROWS_READ);
    },
  );
});

/** How many rows of the two big tables the last page has read. */
let rowsRead = 0;

/**
 * Reads a page, and requires of each of its statements that it reads no table from end to end, and sorts none.
 *
 * @returns the cursors of its rows
 */
async function walked(list: 'jobs' | 'executions', args: string): Promise<string[]> {
  api.takeQueries();
  const data = await api.query<Record<string, { edges: { cursor: string }[] }>>(
    `{ ${list}(${args}) { edges { cursor node { id } } } }`,
  );
  rowsRead = 0;
  for (const { text, values } of api.takeQueries()) {
    if (!text.startsWith('SELECT')) continue;
    for (const node of nodesOf(await explain(api.pool, text, values))) {
      const shown = `${text}\n${JSON.stringify(node).slice(0, 600)}`;
      if (['jobs', 'job_executions'].includes(node['Relation Name'] ?? '')) {
        expect(node['Node Type'], shown).not.toBe('Seq Scan');
        rowsRead += (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
      }
      if (node['Node Type'] === 'Sort') expect(node['Plan Rows'], shown).toBeLessThan(MAX_SORTED_ROWS);
    }
  }
  return (data[list]?.edges ?? []).map(({ cursor }) => cursor);
}
