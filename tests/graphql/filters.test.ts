import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/public-id.ts';
import type { FeedEvent } from '../../src/events/feed.ts';
import { eventMatches, readExecutionWhere } from '../../src/graphql/filters/execution-where.ts';
import { insertExecution, insertJob, type Row } from '../support/rows.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;
let jobIds: string[];
/** Each execution by its public id, as an event would tell of it. */
let events: Map<string, FeedEvent['event']>;

const at = (n: number) => new Date(Date.UTC(2030, 0, 1 + n));

beforeAll(async () => {
  api = await createApiHarness();
  jobIds = [await insertJob(api.pool), await insertJob(api.pool)];
  events = new Map();
  const messages = ['Status 50%', 'a_b\\c', 'Status 500.', ''];
  const statuses = ['PENDING', 'RUNNING', 'SUCCESS', 'FAILED', 'SKIPPED'] as const;
  for (let index = 0; index < 30; index += 1) {
    const status = statuses[index % statuses.length] ?? 'PENDING';
    const message: Row =
      status === 'FAILED' || status === 'RUNNING' ? { error_message: messages[index % 4] } : {};
    const id = await insertExecution(api.pool, jobIds[index % 2] ?? '', status, {
      at: at(index % 4),
      ...message,
    });
    const { rows } = await api.pool.query<FeedEvent['event']>(
      `SELECT 0::int8 AS position, created_at AS at, 'EXECUTION_STARTED' AS kind, job_id AS "jobId", id AS "executionId",
        status, trigger, created_at AS "createdAt", scheduled_at AS "scheduledAt", started_at AS "startedAt",
        finished_at AS "finishedAt", duration_ms AS "durationMs", lateness_ms AS "latenessMs",
        failure_reason AS "failureReason", response_status AS "responseStatus", error_message AS "errorMessage",
        claimed_by AS "instanceId" FROM job_executions WHERE id = $1`,
      [id],
    );
    if (rows[0]) events.set(encodePublicId('Execution', id), rows[0]);
  }
});
afterAll(async () => {
  await api.close();
});

/** Any ExecutionWhere, of values that occur and of some that do not. */
function wheres(): fc.Arbitrary<Record<string, unknown>> {
  const dates = fc.constantFrom(...[0, 1, 2, 3, 9].map((n) => at(n).toISOString()));
  const instants = fc.record({ gte: dates, lte: dates, gt: dates, lt: dates }, { requiredKeys: [] });
  const ints = fc.constantFrom(0, 100, 200, 500);
  const numbers = fc.record({ eq: ints, gte: ints, lte: ints }, { requiredKeys: [] });
  const texts = fc.constantFrom('Status 50%', '%', '_', '\\', 'Status', '', 'status', '.');
  const strings = fc.record(
    { eq: texts, in: fc.array(texts, { maxLength: 2 }), contains: texts, startsWith: texts },
    { requiredKeys: [] },
  );
  const leaf = fc.oneof(
    fc.record({ status: fc.subarray(['PENDING', 'RUNNING', 'SUCCESS', 'FAILED', 'SKIPPED', 'RETRYING']) }),
    fc.record({ trigger: fc.subarray(['MANUAL', 'SCHEDULE']) }),
    fc.record({ failureReason: fc.subarray(['HTTP_STATUS', 'TIMEOUT']) }),
    fc.record({
      jobId: fc
        .constantFrom(0, 1, 2)
        .map((n) => [n === 2 ? 'nonsense' : encodePublicId('Job', jobIds[n] ?? '')]),
    }),
    fc.record({ id: fc.subarray([...events.keys()], { maxLength: 5 }) }),
    ...['createdAt', 'scheduledAt', 'startedAt', 'finishedAt'].map((field) =>
      fc.record({ [field]: instants }),
    ),
    ...['durationMs', 'latenessMs', 'responseStatus'].map((field) => fc.record({ [field]: numbers })),
    fc.record({ errorMessage: strings }),
    fc.record({ instanceId: fc.subarray(['another-instance', 'nobody']) }),
  ) as fc.Arbitrary<Record<string, unknown>>;
  const { where } = fc.letrec<{ where: Record<string, unknown> }>((tie) => ({
    where: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      leaf,
      fc.tuple(leaf, leaf).map(([a, b]) => ({ ...a, ...b })),
      fc.record({ AND: fc.array(tie('where'), { maxLength: 3 }) }),
      fc.record({ OR: fc.array(tie('where'), { maxLength: 3 }) }),
      fc.record({ NOT: tie('where') }),
      fc.tuple(leaf, tie('where')).map(([a, b]) => ({ ...a, NOT: b })),
    ),
  }));
  return where;
}

const SOURCE = `query ($where: ExecutionWhere) { executions(first: 100, where: $where) { nodes { id } totalCount } }`;
type Data = { executions: { nodes: { id: string }[]; totalCount: number } };

describe('an ExecutionWhere', () => {
  it('selects the same executions in a list as it does in the feed', async () => {
    await fc.assert(
      fc.asyncProperty(wheres(), async (where) => {
        const { executions } = await api.query<Data>(SOURCE, { where });
        const condition = readExecutionWhere(withDates(where));
        const expected = [...events].filter(([, event]) => eventMatches(event, condition)).map(([id]) => id);
        expect(executions.nodes.map(({ id }) => id).toSorted()).toEqual(expected.toSorted());
        expect(executions.totalCount).toBe(expected.length);
      }),
      { numRuns: 150 },
    );
  });

  it('counts a value that is missing as one that does not match', async () => {
    const ids = async (where: object) => (await api.query<Data>(SOURCE, { where })).executions.totalCount;
    const failed = await ids({ failureReason: ['HTTP_STATUS'] });
    expect(failed).toBe(6);
    expect(await ids({ NOT: { failureReason: ['HTTP_STATUS'] } })).toBe(30 - failed);
  });

  it('takes % and _ for what they are', async () => {
    const { executions } = await api.query<Data>(SOURCE, { where: { errorMessage: { contains: '0%' } } });
    const expected = [...events.values()].filter(({ errorMessage }) => errorMessage?.includes('0%')).length;
    expect(expected).toBeGreaterThan(0);
    expect(executions.totalCount).toBe(expected);
  });
});

/** As graphql-js hands a filter over, with instants read. */
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
