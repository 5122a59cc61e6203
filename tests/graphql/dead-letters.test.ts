import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { clearJobs, START } from '../commands/harness.ts';
import { insertExecution, insertJob } from '../support/rows.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});
beforeEach(async () => {
  api.clock.set(START);
  await clearJobs(api.pool);
});

const deadId = (id: string) => encodePublicId('DeadLetter', id);
const execId = (id: string) => encodePublicId('Execution', id);
const jobIdOf = (id: string) => encodePublicId('Job', id);
const at = (minute: number) => new Date(Date.UTC(2025, 2, 1, 10, minute));
const REASONS = ['TIMEOUT', 'HTTP_STATUS', 'DNS'] as const;

const LIST = `query ($where: DeadLetterWhere, $first: Int, $after: String, $last: Int, $before: String) {
  deadLetters(where: $where, first: $first, after: $after, last: $last, before: $before) {
    totalCount nodes { id } pageInfo { hasNextPage endCursor }
  }
}`;
interface Listed {
  deadLetters: {
    totalCount: number;
    nodes: { id: string }[];
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
  };
}
const REDRIVE = `mutation ($input: RedriveDeadLettersInput!) {
  redriveDeadLetters(input: $input) {
    redrivenCount executions { id status trigger } errors { __typename path message }
  }
}`;
const DISCARD = `mutation ($input: DiscardDeadLettersInput!) {
  discardDeadLetters(input: $input) { matchedCount changedCount errors { __typename path } }
}`;

async function listed(variables: Record<string, unknown> = {}): Promise<string[]> {
  const { deadLetters } = await api.query<Listed>(LIST, variables);
  return deadLetters.nodes.map(({ id }) => id);
}

/** One a minute, oldest first, alternately of two jobs. */
async function fill(count: number): Promise<{ jobs: [string, string]; letters: string[] }> {
  const jobs: [string, string] = [await insertJob(api.pool), await insertJob(api.pool)];
  const letters: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const id = await insertExecution(api.pool, jobs[n % 2 ? 1 : 0], 'FAILED', {
      at: at(n),
      failure_reason: REASONS[n % REASONS.length],
    });
    letters.push(deadId(id));
  }
  return { jobs, letters };
}

describe('the dead letter queue', () => {
  it('shows each entry with its execution and job', async () => {
    const job = await insertJob(api.pool, { name: 'Report' });
    const id = await insertExecution(api.pool, job, 'FAILED', { at: at(0) });
    expect(
      await api.query(`{ deadLetters { nodes {
        __typename id execution { id status } job { id name } failureReason errorMessage failedAt
        redrivenAt redriveExecution { id } discardedAt
      } } }`),
    ).toEqual({
      deadLetters: {
        nodes: [
          {
            __typename: 'DeadLetter',
            id: deadId(id),
            execution: { id: execId(id), status: 'FAILED' },
            job: { id: jobIdOf(job), name: 'Report' },
            failureReason: 'HTTP_STATUS',
            errorMessage: 'Status 500.',
            failedAt: '2025-03-01T10:00:00.100Z',
            redrivenAt: null,
            redriveExecution: null,
            discardedAt: null,
          },
        ],
      },
    });
  });

  it('is paged newest failure first, forwards and backwards, equal instants included', async () => {
    const { letters } = await fill(7);
    const twin = await insertExecution(api.pool, await insertJob(api.pool), 'FAILED', { at: at(3) });
    const newestFirst = await listed();
    expect(newestFirst).toHaveLength(8);
    expect(newestFirst.filter((id) => id !== deadId(twin))).toEqual(letters.toReversed());

    const walked: string[] = [];
    let after: string | null = null;
    for (;;) {
      const page: Listed = await api.query<Listed>(LIST, { first: 3, after });
      walked.push(...page.deadLetters.nodes.map(({ id }) => id));
      expect(page.deadLetters.totalCount).toBe(8);
      if (!page.deadLetters.pageInfo.hasNextPage) break;
      after = page.deadLetters.pageInfo.endCursor;
    }
    expect(walked).toEqual(newestFirst);
    expect(await listed({ last: 3 })).toEqual(newestFirst.slice(-3));
  });

  it('costs the same number of statements however long it is', async () => {
    const source = `{ deadLetters(first: 100) { totalCount nodes { id failedAt job { name }
      execution { status attempts { number } } redriveExecution { status } } } }`;
    const statements = async () => {
      api.takeStatements();
      await api.query(source);
      return api.takeStatements().length;
    };
    await fill(2);
    await statements();
    const few = await statements();
    await fill(40);
    expect(await statements()).toBe(few);
    expect(few).toBeLessThanOrEqual(6);
  });

  it('uses the same filter as a redrive', async () => {
    const { jobs } = await fill(9);
    const wheres = [
      {},
      { jobId: [jobIdOf(jobs[0])] },
      { jobId: [] },
      { jobId: ['job_none'] },
      { failureReason: ['TIMEOUT', 'DNS'] },
      { failureReason: [] },
      { failedAt: { gte: at(2).toISOString(), lt: at(6).toISOString() } },
      { failedAt: { gt: at(7).toISOString() }, failureReason: ['HTTP_STATUS'] },
      { jobId: [jobIdOf(jobs[1])], failedAt: { lte: at(5).toISOString() } },
    ];
    for (const where of wheres) {
      const expected = await listed({ where: { ...where, open: true }, first: 100 });
      const { redriveDeadLetters } = await api.query<{
        redriveDeadLetters: { redrivenCount: number; executions: { id: string }[] };
      }>(REDRIVE, { input: { where } });
      expect(redriveDeadLetters.redrivenCount).toBe(expected.length);
      const { rows } = await api.pool.query<{ id: string }>(
        'SELECT execution_id AS id FROM failed_jobs_dlq WHERE redriven_at IS NOT NULL ORDER BY failed_at DESC',
      );
      expect(rows.map(({ id }) => deadId(id))).toEqual(expected);
      const { rows: made } = await api.pool.query<{ id: string }>(
        `SELECT d.redrive_execution_id AS id FROM failed_jobs_dlq AS d WHERE redriven_at IS NOT NULL ORDER BY failed_at`,
      );
      expect(redriveDeadLetters.executions.map(({ id }) => id)).toEqual(made.map(({ id }) => execId(id)));
      await api.pool.query('UPDATE failed_jobs_dlq SET redriven_at = NULL, redrive_execution_id = NULL');
      await api.pool.query(`DELETE FROM job_executions WHERE trigger = 'REDRIVE'`);
    }
  });

  it('distinguishes open entries from closed ones', async () => {
    const { letters } = await fill(3);
    const [redriven, discarded, open] = letters;
    await api.query(REDRIVE, { input: { ids: [redriven] } });
    await api.query(DISCARD, { input: { ids: [discarded] } });
    expect(await listed({ where: { open: true } })).toEqual([open]);
    expect(await listed({ where: { open: false } })).toEqual([discarded, redriven]);
    expect(await listed({ where: { open: null } })).toEqual([open, discarded, redriven]);
  });

  it('refuses a filter that lists too much', async () => {
    const jobId = Array.from({ length: 1_001 }, () => 'job_none');
    const { errors } = await api.execute(LIST, { where: { jobId } });
    expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
  });
});

describe('redriving and discarding', () => {
  it('returns the results', async () => {
    const { letters } = await fill(3);
    const [first, second, third] = letters;
    expect(await api.query(REDRIVE, { input: { ids: [first, second] } })).toMatchObject({
      redriveDeadLetters: {
        redrivenCount: 2,
        executions: [
          { status: 'PENDING', trigger: 'REDRIVE' },
          { status: 'PENDING', trigger: 'REDRIVE' },
        ],
        errors: [],
      },
    });
    expect(await api.query(DISCARD, { input: { ids: [second, third] } })).toEqual({
      discardDeadLetters: { matchedCount: 1, changedCount: 1, errors: [] },
    });
  });

  it('needs ids or a where', async () => {
    await fill(1);
    expect(await api.query(REDRIVE, { input: {} })).toMatchObject({
      redriveDeadLetters: {
        redrivenCount: 0,
        executions: [],
        errors: [{ __typename: 'ValidationError', path: ['ids'] }],
      },
    });
    expect(await api.query(DISCARD, { input: { limit: 5 } })).toMatchObject({
      discardDeadLetters: {
        matchedCount: 0,
        changedCount: 0,
        errors: [{ __typename: 'ValidationError', path: ['ids'] }],
      },
    });
    expect(await listed({ where: { open: true } })).toHaveLength(1);
  });
});
