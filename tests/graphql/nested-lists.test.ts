import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

const JOBS = 50;
const ROWS = 6;

let api: ApiHarness;
const at = (n: number) => new Date(Date.UTC(2025, 0, 1) + n * 1_000);

beforeAll(async () => {
  api = await createApiHarness();
  for (let n = 0; n < JOBS; n += 1) await seed(n);
}, 120_000);
afterAll(() => api.close());

type Node = { id: string };
type Nested = {
  nodes: Node[];
  totalCount: number;
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean };
};

const PAGE = 'totalCount pageInfo { hasNextPage hasPreviousPage } nodes { id }';
/** The cursor of the third row in the list of the oldest job. The values are equal in all jobs, except for ids. */
async function cursorOf(list: string, args: string): Promise<string> {
  const { jobs } = await api.query<{ jobs: { nodes: { list: { edges: { cursor: string }[] } }[] } }>(
    `{ jobs(last: 1) { nodes { list: ${list}(first: 3 ${args}) { edges { cursor } } } } }`,
  );
  return jobs.nodes[0]?.list.edges[2]?.cursor ?? '';
}

const ORDERS = [
  '[]',
  '[{ field: CREATED_AT, direction: ASC }]',
  '[{ field: STARTED_AT, direction: DESC }]',
  '[{ field: STARTED_AT, direction: ASC }]',
  '[{ field: FINISHED_AT, direction: ASC }]',
  '[{ field: SCHEDULED_AT, direction: DESC }, { field: CREATED_AT, direction: ASC }]',
];
const WINDOWS = [
  'first: 2',
  'last: 2',
  'first: 2, after: $c',
  'last: 2, after: $c',
  'first: 2, before: $c',
  'last: 2, before: $c',
];
const EXECUTION_PAGES = ORDERS.flatMap((order) =>
  WINDOWS.map((window) => [`orderBy: ${order}`, window] as const),
);

/** The number of statements of a query for this many objects that have the list. */
async function statementsOf(query: string, variables: Record<string, unknown>): Promise<number> {
  api.takeStatements();
  await api.query(query, variables);
  return api.takeStatements().length;
}

describe('Executions of jobs', () => {
  it.each(EXECUTION_PAGES)('are the same as in a list of each job alone: %s, %s', async (order, window) => {
    const cursor = await cursorOf('executions', order);
    const placed = (text: string) => text.replace('$c', JSON.stringify(cursor));
    const { jobs } = await api.query<{ jobs: { nodes: { id: string; executions: Nested }[] } }>(
      `{ jobs(first: 10) { nodes { id executions(${order}, ${placed(window)}) { ${PAGE} } } } }`,
    );
    for (const { id, executions } of jobs.nodes) {
      const alone = await api.query<{ executions: Nested }>(
        `query ($id: ID!) { executions(where: { jobId: [$id] }, ${order}, ${placed(window)}) { ${PAGE} } }`,
        { id },
      );
      expect(executions).toEqual(alone.executions);
    }
  });
});

describe('A list in a list', () => {
  const nestedLists = [
    ...EXECUTION_PAGES.map(
      ([order, window]) =>
        ['jobs', `executions(${order}, ${window}) { ${PAGE} }`, 'executions', order] as const,
    ),
    ...WINDOWS.map((window) => ['jobs', `auditLog(${window}) { ${PAGE} }`, 'auditLog', ''] as const),
    ...WINDOWS.map(
      (window) => ['jobs', `alerts { deliveries(${window}) { ${PAGE} } }`, 'deliveries', ''] as const,
    ),
    ...WINDOWS.map((window) => ['tags', `jobs(${window}) { ${PAGE} }`, 'jobs', ''] as const),
    ...WINDOWS.map(
      (window) => ['executions', `logs(${window}) { totalCount nodes { message } }`, 'logs', ''] as const,
    ),
  ];

  it.each(nestedLists)(
    'takes as many statements for 50 %s as for 5: %s',
    async (list, nested, name, order) => {
      const cursor = await anyCursor(name, order);
      const query = `query ($n: Int) { ${list}(first: $n) { nodes { id ${nested.replace('$c', JSON.stringify(cursor))} } } }`;
      const few = await statementsOf(query, { n: 5 });
      const many = await statementsOf(query, { n: JOBS });
      expect(many).toBe(few);
      expect(many).toBeLessThanOrEqual(16);
    },
  );
});

async function anyCursor(name: string, order: string): Promise<string> {
  if (name === 'executions' || name === 'auditLog') return cursorOf(name, order);
  const path = {
    deliveries: 'jobs(last: 1) { nodes { alerts { deliveries(first: 3) { edges { cursor } } } } }',
    jobs: 'tags(first: 1) { nodes { jobs(first: 3) { edges { cursor } } } }',
    logs: 'executions(last: 1) { nodes { logs(first: 3) { edges { cursor } } } }',
  }[name];
  const found = JSON.stringify(await api.query(`{ ${path ?? ''} }`));
  return [...found.matchAll(/"cursor":"([^"]+)"/g)].at(-1)?.[1] ?? '';
}

/** A job with a tag, an alert, and some rows in each of its lists. Some rows have the same instant. */
async function seed(n: number): Promise<void> {
  const { pool } = api;
  const instants = { created_at: at(n), updated_at: at(n) };
  const job = await insertJob(pool, instants);
  const tag = randomUUID();
  await insertRow(pool, 'job_tags', { id: tag, name: `tag-${n}`, created_at: at(n) });
  const { rows: others } = await pool.query<{ id: string }>(
    'SELECT id FROM jobs ORDER BY created_at LIMIT $1',
    [ROWS],
  );
  for (const { id } of others) await insertRow(pool, 'job_tag_associations', { job_id: id, tag_id: tag });
  const alert = randomUUID();
  await insertRow(pool, 'job_alerts', {
    id: alert,
    job_id: job,
    channel: 'WEBHOOK',
    target: 'https://example.com/hook',
    events: ['FAILED'],
    ...instants,
  });
  for (let row = 0; row < ROWS; row += 1) {
    const moment = at(Math.floor(row / 2));
    await insertRow(pool, 'job_audit_log', {
      id: randomUUID(),
      at: moment,
      action: 'UPDATED',
      actor: 'ada',
      job_id: job,
    });
    await insertRow(pool, 'job_alert_deliveries', {
      id: randomUUID(),
      alert_id: alert,
      event: 'FAILED',
      created_at: moment,
      due_at: moment,
      available_at: moment,
    });
    const status = (['SUCCESS', 'PENDING', 'FAILED'] as const)[row % 3] ?? 'PENDING';
    const execution = await insertExecution(pool, job, status, {
      at: moment,
      ...(row % 4 < 2 && { scheduled_at: at(100 + row) }),
    });
    await insertRow(pool, 'job_execution_logs', {
      execution_id: execution,
      position: n * ROWS + row + 1,
      at: moment,
      level: 'INFO',
      message: 'Planned.',
    });
  }
}
