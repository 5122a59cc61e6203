import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { decodePublicId, encodePublicId } from '../../src/domain/values/public-id.ts';
import type { FeedEvent } from '../../src/events/feed.ts';
import { eventMatches, readExecutionWhere } from '../../src/graphql/filters/execution-where.ts';
import { clearJobs } from '../commands/harness.ts';
import { insertExecution, insertJob } from '../support/rows.ts';
import { insertJobTags } from '../support/tags.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';
import {
  leaf,
  mentionsField,
  type ModelRow,
  modelRow,
  type OrderKey,
  orderings,
  selected,
  sorted,
  type Where,
  wheres,
} from './list-model.ts';
import { idsOf, type Page, walkList } from './walk-list.ts';

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});

const at = (n: number) => new Date(Date.UTC(2025, 0, 1 + n));
const INSTANTS = [-1, 0, 1, 2, 3, 9].map((n) => at(n).toISOString());
const NAMES = ['a', 'b', 'c%', 'd_'];
const TAGS = ['x', 'y', 'z'];
const ASKED_TAGS = ['x', ' Y', 'z', 'unused', ''];
const JOB_ORDER = ['NAME', 'CREATED_AT', 'UPDATED_AT', 'NEXT_RUN_AT'];
const EXECUTION_ORDER = ['CREATED_AT', 'SCHEDULED_AT', 'STARTED_AT', 'FINISHED_AT'];

/** The tags of the job with this number: none or some. */
const tagsOf = (n: number) => TAGS.filter((_, index) => ((n >> index) & 1) === 1);

/** Keys that this test has used. */
let keys = 0;

/** A job with few distinct values, so many jobs are equal in every key, and nulls. */
async function newJob(index: number): Promise<ModelRow> {
  const status = index % 7 === 3 ? 'DELETED' : index % 5 === 0 ? 'COMPLETED' : 'ACTIVE';
  const nextRunAt = status === 'ACTIVE' ? at(index % 2) : null;
  keys += 1;
  const key = index % 3 === 0 ? null : `key-${index % 4}:${keys}`;
  const shown = { key, name: NAMES[index % 4] ?? '', status, api: `https://${index % 2}.test/50%` };
  const dates = { createdAt: at(index % 3), updatedAt: at(index % 4), nextRunAt };
  const id = await insertJob(api.pool, {
    ...shown,
    created_at: dates.createdAt,
    updated_at: dates.updatedAt,
    next_run_at: nextRunAt,
    deleted_at: status === 'DELETED' ? at(5) : null,
  });
  await insertJobTags(api.pool, id, tagsOf(index));
  return modelRow(encodePublicId('Job', id), { ...shown, ...dates, tags: tagsOf(index) });
}

describe('pages of jobs', () => {
  let rows: ModelRow[];

  beforeEach(async () => {
    await clearJobs(api.pool);
    rows = [];
    keys = 0;
    for (let index = 0; index < 22; index += 1) rows.push(await newJob(index));
  });

  const visible = (where: Where) =>
    mentionsField(where, 'status') ? rows : rows.filter(({ status }) => status !== 'DELETED');

  /** Any JobWhere, with values that occur and some that do not. */
  const jobWheres = () =>
    wheres([
      leaf.list('id', [...idsOf(rows).slice(0, 6), 'nonsense']),
      leaf.text('key', ['key-1:2', 'key-', '%', '', 'KEY']),
      leaf.text('name', [...NAMES, '%', '_', '\\', '']),
      leaf.list('status', ['ACTIVE', 'PAUSED', 'COMPLETED', 'DELETED']),
      leaf.text('api', ['https://0.test/50%', 'https', '0%', '.test/5_']),
      leaf.tags(ASKED_TAGS),
      leaf.instant('nextRunAt', INSTANTS),
      leaf.instant('createdAt', INSTANTS),
    ]);

  const byName: OrderKey[] = [{ field: 'NAME', direction: 'ASC' }];

  it('contain the rows of a simple filter and sort, forwards and backwards, for any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        jobWheres(),
        orderings(JOB_ORDER),
        fc.integer({ min: 1, max: 25 }),
        fc.boolean(),
        async (where, orderBy, size, forward) => {
          const expected = idsOf(sorted(selected(visible(where), where), orderBy));
          expect(await walkList(api, { list: 'jobs', where, orderBy, size, forward })).toEqual({
            ids: expected,
            totalCount: expected.length,
          });
        },
      ),
      {
        numRuns: 60,
        examples: [[{ NOT: { api: { startsWith: 'https://0.test/50%' } } }, byName, 25, true]],
      },
    );
  });

  it('lose and repeat nothing while jobs are added between them', async () => {
    await fc.assert(
      fc.asyncProperty(
        orderings(JOB_ORDER),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        fc.array(fc.nat(100), { minLength: 1, maxLength: 8 }),
        async (orderBy, size, forward, comers) => {
          const numbers = [...comers];
          const before = visible({});
          const { ids } = await walkList(
            api,
            { list: 'jobs', where: {}, orderBy, size, forward },
            async () => {
              const number = numbers.pop();
              if (number !== undefined) rows.push(await newJob(number));
            },
          );
          const wasThere = new Set(idsOf(before));
          expect(ids.filter((id) => wasThere.has(id))).toEqual(idsOf(sorted(before, orderBy)));
          // The walk sees jobs that were added ahead of it, in their place.
          const all = idsOf(sorted(visible({}), orderBy));
          expect(ids).toEqual(all.filter((id) => ids.includes(id)));
        },
      ),
      { numRuns: 12 },
    );
  });

  it('are limited on both sides when both cursors are given', async () => {
    const orderBy = [{ field: 'NEXT_RUN_AT', direction: 'ASC' as const }];
    const source = `query ($after: String, $before: String, $orderBy: [JobOrder!]) {
      jobs(first: 100, after: $after, before: $before, orderBy: $orderBy) { edges { cursor node { id } } }
    }`;
    const { jobs: all } = await api.query<{ jobs: Page }>(source, { orderBy });
    const { jobs } = await api.query<{ jobs: Page }>(source, {
      orderBy,
      after: all.edges[2]?.cursor,
      before: all.edges[14]?.cursor,
    });
    expect(jobs.edges).toEqual(all.edges.slice(3, 14));
  });

  it('continue from a cursor whose row is gone', async () => {
    const source = `query ($after: String) { jobs(first: 5, after: $after) { nodes { id } pageInfo { endCursor } } }`;
    const order = idsOf(sorted(visible({}), [{ field: 'CREATED_AT', direction: 'DESC' }]));
    const { jobs: first } = await api.query<{ jobs: Page }>(source);
    expect(first.nodes.map(({ id }) => id)).toEqual(order.slice(0, 5));
    await api.pool.query(
      `DELETE FROM jobs WHERE id IN (
        SELECT id FROM jobs WHERE status <> 'DELETED' ORDER BY created_at DESC, id DESC LIMIT 5)`,
    );
    const { jobs: second } = await api.query<{ jobs: Page }>(source, { after: first.pageInfo.endCursor });
    expect(second.nodes.map(({ id }) => id)).toEqual(order.slice(5, 10));
  });

  it('may be empty', async () => {
    expect(
      await api.query('{ jobs(first: 0) { nodes { id } pageInfo { hasNextPage startCursor } } }'),
    ).toEqual({
      jobs: { nodes: [], pageInfo: { hasNextPage: true, startCursor: null } },
    });
  });
});

describe('pages of executions', () => {
  const STATUSES = ['PENDING', 'RUNNING', 'SUCCESS', 'FAILED', 'SKIPPED'] as const;
  const MESSAGES = ['Status 50%', 'a_b\\c', 'Status 500.', ''];
  const BY_ID = new Map<string, FeedEvent['event']>();
  let jobs: ModelRow[];
  let rows: ModelRow[];

  beforeAll(async () => {
    await clearJobs(api.pool);
    jobs = [await newJob(1), await newJob(6), await newJob(4)];
    rows = [];
    for (let index = 0; index < 30; index += 1) rows.push(await newExecution(index));
  });

  async function newExecution(index: number): Promise<ModelRow> {
    const status = STATUSES[index % STATUSES.length] ?? 'PENDING';
    const job = jobs[index % 2];
    const message = status === 'FAILED' || status === 'RUNNING' ? { error_message: MESSAGES[index % 4] } : {};
    const id = await insertExecution(api.pool, decodePublicId('Job', job?.id ?? '') ?? '', status, {
      at: at(index % 4),
      ...(index % 3 === 0
        ? {}
        : { trigger: 'SCHEDULE', scheduled_at: new Date(at(index % 3).getTime() + index) }),
      ...message,
    });
    const { rows: found } = await api.pool.query<FeedEvent['event']>(
      `SELECT 0::int8 AS position, created_at AS at, 'EXECUTION_STARTED' AS kind, job_id AS "jobId", id AS "executionId",
        status, trigger, created_at AS "createdAt", scheduled_at AS "scheduledAt", started_at AS "startedAt",
        finished_at AS "finishedAt", duration_ms AS "durationMs", lateness_ms AS "latenessMs",
        failure_reason AS "failureReason", response_status AS "responseStatus", error_message AS "errorMessage",
        claimed_by AS "instanceId" FROM job_executions WHERE id = $1`,
      [id],
    );
    const [event] = found;
    if (!event) throw new Error('The execution was not stored');
    const publicId = encodePublicId('Execution', id);
    BY_ID.set(publicId, event);
    return modelRow(publicId, { ...event, jobId: job?.id ?? '', tags: [...(job?.['tags'] as string[])] });
  }

  /** Any ExecutionWhere, with values that occur and some that do not. */
  const executionWheres = () =>
    wheres([
      leaf.list('id', [...idsOf(rows).slice(0, 8), 'nonsense']),
      leaf.list('jobId', [...idsOf(jobs), 'nonsense']),
      leaf.list('status', [...STATUSES, 'RETRYING']),
      leaf.list('trigger', ['MANUAL', 'SCHEDULE', 'REDRIVE']),
      leaf.list('failureReason', ['HTTP_STATUS', 'TIMEOUT']),
      leaf.tags(ASKED_TAGS),
      leaf.instant('scheduledAt', INSTANTS),
      leaf.instant('startedAt', INSTANTS),
      leaf.instant('finishedAt', INSTANTS),
      leaf.instant('createdAt', INSTANTS),
      leaf.number('durationMs', [0, 100, 101]),
      leaf.number('latenessMs', [0, 1]),
      leaf.number('responseStatus', [200, 500]),
      leaf.text('errorMessage', [...MESSAGES, '%', '_', 'status', '.']),
      leaf.list('instanceId', ['another-instance', 'nobody']),
    ]);

  it('contain the rows of a simple filter and sort, and of the filter of a feed', async () => {
    await fc.assert(
      fc.asyncProperty(
        executionWheres(),
        orderings(EXECUTION_ORDER),
        fc.integer({ min: 1, max: 35 }),
        fc.boolean(),
        async (where, orderBy, size, forward) => {
          const expected = sorted(selected(rows, where), orderBy);
          expect(await walkList(api, { list: 'executions', where, orderBy, size, forward })).toEqual({
            ids: idsOf(expected),
            totalCount: expected.length,
          });
          const condition = readExecutionWhere(withDates(where));
          const letThrough = rows.filter(({ id, tags }) => {
            const event = BY_ID.get(id);
            return event !== undefined && eventMatches(event, condition, tags as string[]);
          });
          expect(idsOf(sorted(letThrough, orderBy))).toEqual(idsOf(expected));
        },
      ),
      { numRuns: 100 },
    );
  });

  it('of many jobs in one answer contain for each job the rows of a simple filter and sort', async () => {
    const orders = fc.oneof(
      fc.constant(undefined),
      fc
        .constantFrom('ASC' as const, 'DESC' as const)
        .map((direction) => [{ field: 'CREATED_AT', direction }]),
      orderings(EXECUTION_ORDER),
    );
    await fc.assert(
      fc.asyncProperty(
        executionWheres(),
        orders,
        fc.integer({ min: 0, max: 17 }),
        fc.constantFrom('first', 'last'),
        async (where, orderBy, size, end) => {
          const data = await api.query<{ jobs: { nodes: { id: string; page: Page }[] } }>(
            `query ($size: Int, $where: ExecutionWhere, $orderBy: [ExecutionOrder!]) { jobs { nodes { id
              page: executions(${end}: $size, where: $where, orderBy: $orderBy) {
                nodes { id } totalCount pageInfo { hasNextPage hasPreviousPage }
              } other: executions(first: 2, where: { status: [FAILED] }) { nodes { id } } } } }`,
            { size, where, orderBy },
          );
          expect(data.jobs.nodes).toHaveLength(jobs.length);
          for (const { id, page } of data.jobs.nodes) {
            const own = selected(rows, where).filter(({ jobId }) => jobId === id);
            const ids = idsOf(sorted(own, orderBy ?? [{ field: 'CREATED_AT', direction: 'DESC' }]));
            const shown = end === 'first' ? ids.slice(0, size) : ids.slice(Math.max(ids.length - size, 0));
            const isCut = ids.length > size;
            expect(page).toEqual({
              nodes: shown.map((each) => ({ id: each })),
              totalCount: ids.length,
              pageInfo: { hasNextPage: end === 'first' && isCut, hasPreviousPage: end === 'last' && isCut },
            });
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('of one job are its rows from the list of all executions', async () => {
    const [job, , other] = jobs;
    const own = rows.filter(({ jobId }) => jobId === job?.id);
    const newest = idsOf(sorted(own, [{ field: 'CREATED_AT', direction: 'DESC' }])).map((id) => ({ id }));
    const data = await api.query(
      `query ($id: ID!, $other: ID!) {
        job(id: $id) {
          latest: executions(first: 4) { nodes { id } totalCount pageInfo { hasNextPage } }
          oldest: executions(last: 4) { nodes { id } pageInfo { hasPreviousPage } }
          pending: executions(where: { status: [PENDING] }) { totalCount }
        }
        other: job(id: $other) { executions { nodes { id } totalCount } }
      }`,
      { id: job?.id, other: other?.id },
    );
    expect(data).toEqual({
      job: {
        latest: { nodes: newest.slice(0, 4), totalCount: 15, pageInfo: { hasNextPage: true } },
        oldest: { nodes: newest.slice(-4), pageInfo: { hasPreviousPage: true } },
        pending: { totalCount: 3 },
      },
      other: { executions: { nodes: [], totalCount: 0 } },
    });
  });

  it('lose and repeat nothing while executions are added between them, and running ones end', async () => {
    await fc.assert(
      fc.asyncProperty(
        orderings(['CREATED_AT', 'SCHEDULED_AT', 'STARTED_AT']),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        async (orderBy, size, forward) => {
          const before = [...rows];
          let pages = 0;
          const { ids } = await walkList(
            api,
            { list: 'executions', where: {}, orderBy, size, forward },
            async () => {
              pages += 1;
              if (pages <= 3) rows.push(await newExecution(rows.length));
              await api.pool.query(
                `UPDATE job_executions SET status = 'SUCCESS', finished_at = started_at + interval '1 s', duration_ms = 1000,
                  lease_expires_at = NULL WHERE id = (SELECT id FROM job_executions WHERE status = 'RUNNING' LIMIT 1)`,
              );
            },
          );
          const wasThere = new Set(idsOf(before));
          expect(ids.filter((id) => wasThere.has(id))).toEqual(idsOf(sorted(before, orderBy)));
          const all = idsOf(sorted(rows, orderBy));
          expect(ids).toEqual(all.filter((id) => ids.includes(id)));
        },
      ),
      { numRuns: 12 },
    );
  });
});

/** The filter as graphql-js passes it on, with parsed instants. */
function withDates(value: unknown, key = ''): never {
  if (Array.isArray(value)) return value.map((item) => withDates(item)) as never;
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, withDates(item, name)]),
    ) as never;
  }
  const isInstant = ['gt', 'gte', 'lt', 'lte'].includes(key) && typeof value === 'string';
  return (isInstant ? new Date(value) : value) as never;
}
