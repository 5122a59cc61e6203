import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { filteredPage } from '../../src/graphql/connection/filtered-page.ts';
import { insertExecution, insertJob } from '../support/rows.ts';
import { until } from '../support/until.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
  await insertExecution(api.pool, await insertJob(api.pool), 'FAILED');
});
afterAll(() => api.close());

const FAILED = 'where: { status: [FAILED], errorMessage: { contains: "500" } }';
const FOUND =
  'where: finding what it selects takes longer than a statement may; narrow it, by a span of time for example.';
const COUNTED =
  'where: counting what it selects takes longer than a statement may; narrow it, by a span of time for example, or leave out totalCount.';

describe('a filter or an order that exceeds the statement timeout is refused', () => {
  it.each([
    ['job_executions', `{ executions(${FAILED}) { nodes { id } } }`],
    ['job_executions', `{ jobs { nodes { executions(${FAILED}) { nodes { id } } } } }`],
    [
      'job_executions',
      '{ jobs { nodes { executions(orderBy: { field: STARTED_AT, direction: ASC }) { nodes { id } } } } }',
    ],
    ['jobs', '{ jobs(where: { name: { contains: "x" } }) { nodes { id } } }'],
    ['failed_jobs_dlq', '{ deadLetters(where: { failureReason: [TIMEOUT] }) { nodes { id } } }'],
    ['job_audit_log', '{ auditLog(where: { actor: { contains: "x" } }) { nodes { action } } }'],
  ])('in %s: %s', async (table, source) => {
    const { errors } = await endedBehindLock(table, source);
    expect(errors).toMatchObject([
      { message: FOUND, extensions: { code: 'BAD_USER_INPUT', argument: 'where' } },
    ]);
  });

  it('when its rows are found in time, but not counted', async () => {
    const client = await api.pool.connect();
    try {
      await client.query('SET statement_timeout = 1');
      const pageInfo = { hasNextPage: false, hasPreviousPage: false, startCursor: null, endCursor: null };
      const totalCount = async () => (await client.query('SELECT pg_sleep(10)')).rowCount ?? 0;
      const found = Promise.resolve({ edges: [], pageInfo, totalCount });
      const page = await filteredPage({ status: ['FAILED'] }, api.base, found);
      await expect(page.totalCount()).rejects.toMatchObject({
        message: COUNTED,
        extensions: { code: 'BAD_USER_INPUT', argument: 'where' },
      });
    } finally {
      client.release(true);
    }
  });

  it('but not for a list without a filter', async () => {
    const { errors } = await endedBehindLock('job_executions', '{ executions { nodes { id } } }');
    expect(errors[0]?.extensions?.['code']).toBeUndefined();
  });
});

/** Ends each statement of a query that waits for a table, as PostgreSQL does after the timeout. */
async function endedBehindLock(table: string, source: string): ReturnType<ApiHarness['execute']> {
  const blocker = await api.pool.connect();
  try {
    await blocker.query(`BEGIN; LOCK TABLE ${table}`);
    const answer = api.execute(source);
    await until(async () => {
      const { rowCount } = await blocker.query(
        'SELECT pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted AND relation = $1::regclass',
        [table],
      );
      return (rowCount ?? 0) > 0;
    });
    return await answer;
  } finally {
    await blocker.query('ROLLBACK');
    blocker.release();
  }
}
