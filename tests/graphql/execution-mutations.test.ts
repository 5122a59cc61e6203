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

const NOW = new Date(START);
const ERRORS = 'errors { __typename code message path ... on ValidationError { issues { path message } } }';
const CANCEL = `mutation ($input: CancelExecutionInput!) {
  cancelExecution(input: $input) { execution { id status finishedAt errorMessage cancelRequestedAt cancelReason logs { nodes { level message } } } ${ERRORS} }
}`;
const RETRY = `mutation ($input: RetryExecutionInput!) {
  retryExecution(input: $input) { execution { id status trigger scheduledAt } ${ERRORS} }
}`;
const SKIP = `mutation ($input: SkipRunInput!) {
  skipRun(input: $input) { execution { id status skipReason scheduledAt errorMessage job { nextRunAt } } ${ERRORS} }
}`;

const execId = (id: string) => encodePublicId('Execution', id);

describe('cancelExecution', () => {
  it('returns the updated execution', async () => {
    const id = await insertExecution(api.pool, await insertJob(api.pool), 'PENDING', { at: NOW });
    const answer = await api.query(CANCEL, { input: { id: execId(id), reason: 'No longer needed' } });
    const message = 'Cancelled before it was started. Reason: No longer needed';
    expect(answer).toEqual({
      cancelExecution: {
        execution: {
          id: execId(id),
          status: 'CANCELLED',
          finishedAt: START,
          errorMessage: message,
          cancelRequestedAt: START,
          cancelReason: 'No longer needed',
          logs: { nodes: [{ level: 'WARN', message }] },
        },
        errors: [],
      },
    });
  });

  it('shows that the end of a running one is still pending', async () => {
    const id = await insertExecution(api.pool, await insertJob(api.pool), 'RUNNING', { at: NOW });
    expect(await api.query(CANCEL, { input: { id: execId(id) } })).toMatchObject({
      cancelExecution: {
        execution: { status: 'RUNNING', finishedAt: null, cancelRequestedAt: START },
        errors: [],
      },
    });
  });

  it('refuses with typed errors', async () => {
    const id = await insertExecution(api.pool, await insertJob(api.pool), 'SUCCESS', { at: NOW });
    const refusal = async (input: object) => api.query(CANCEL, { input });
    expect(await refusal({ id: execId(id) })).toMatchObject({
      cancelExecution: {
        execution: null,
        errors: [{ __typename: 'ConflictError', code: 'CONFLICT', path: ['id'] }],
      },
    });
    expect(await refusal({ id: 'exec_none' })).toMatchObject({
      cancelExecution: { execution: null, errors: [{ __typename: 'NotFoundError', code: 'NOT_FOUND' }] },
    });
    expect(await refusal({ id: execId(id), reason: '\0' })).toMatchObject({
      cancelExecution: {
        execution: null,
        errors: [{ __typename: 'ValidationError', issues: [{ path: ['reason'] }] }],
      },
    });
  });

  it('is published to followers of the execution', async () => {
    const job = await insertJob(api.pool);
    const id = await insertExecution(api.pool, job, 'PENDING', { at: NOW });
    const feed = await api.subscribe<{ executionEvents: object }>(
      'subscription { executionEvents { ... on ExecutionEvent { kind status previousStatus execution { id } } } }',
    );
    const first = feed.next();
    await api.query(CANCEL, { input: { id: execId(id) } });
    expect((await first).value).toEqual({
      executionEvents: {
        kind: 'CANCELLED',
        status: 'CANCELLED',
        previousStatus: 'PENDING',
        execution: { id: execId(id) },
      },
    });
    await feed.return(undefined);
  });
});

describe('retryExecution', () => {
  it('returns the new execution, and only once for a failed one', async () => {
    const failed = await insertExecution(api.pool, await insertJob(api.pool), 'FAILED', {
      at: NOW,
      trigger: 'SCHEDULE',
      scheduled_at: NOW,
    });
    const input = { id: execId(failed) };
    const first = await api.query<{ retryExecution: { execution: { id: string } } }>(RETRY, { input });
    const { id } = first.retryExecution.execution;
    expect(first).toMatchObject({
      retryExecution: {
        execution: { status: 'PENDING', trigger: 'REDRIVE', scheduledAt: START },
        errors: [],
      },
    });
    expect(await api.query(RETRY, { input })).toMatchObject({
      retryExecution: {
        execution: null,
        errors: [{ __typename: 'ConflictError', message: expect.stringContaining(id) as string }],
      },
    });
    expect(
      await api.query(
        'query ($id: ID!) { execution(id: $id) { deadLetter { redrivenAt redriveExecution { id } } } }',
        input,
      ),
    ).toEqual({ execution: { deadLetter: { redrivenAt: START, redriveExecution: { id } } } });
    expect(
      await api.query('query ($id: ID!) { execution(id: $id) { redriveOf { id status } } }', { id }),
    ).toEqual({ execution: { redriveOf: { id: execId(failed), status: 'FAILED' } } });
  });
});

describe('skipRun', () => {
  const slot = (minute: number) => `2025-03-01T12:0${minute}:00.000Z`;

  async function minutely(): Promise<string> {
    const input = { name: 'Minutely', api: 'http://a.test', schedule: '0 * * * * *' };
    const { createJob } = await api.query<{ createJob: { job: { id: string } } }>(
      'mutation ($input: CreateJobInput!) { createJob(input: $input) { job { id } } }',
      { input },
    );
    return createJob.job.id;
  }

  it('removes the slot from the upcoming runs', async () => {
    const jobId = await minutely();
    for (const minute of [1, 3]) {
      expect(
        await api.query(SKIP, { input: { jobId, scheduledAt: slot(minute), reason: 'Holiday' } }),
      ).toMatchObject({
        skipRun: {
          execution: {
            status: 'SKIPPED',
            skipReason: 'OPERATOR',
            scheduledAt: slot(minute),
            errorMessage: 'Left out on request: Holiday',
            job: { nextRunAt: slot(2) },
          },
          errors: [],
        },
      });
    }
    const ask = `query ($id: ID) { job(id: $id) { nextRunAt upcomingRuns(count: 3) lastExecution { id }
      executions(where: { status: [SKIPPED] }) { totalCount } } }`;
    expect(await api.query(ask, { id: jobId })).toEqual({
      job: {
        nextRunAt: slot(2),
        upcomingRuns: [slot(2), slot(4), slot(5)],
        lastExecution: null,
        executions: { totalCount: 2 },
      },
    });
  });

  it('names the nearest slots when the instant is not a slot', async () => {
    const jobId = await minutely();
    const scheduledAt = '2025-03-01T12:02:30.000Z';
    expect(await api.query(SKIP, { input: { jobId, scheduledAt } })).toMatchObject({
      skipRun: {
        execution: null,
        errors: [
          {
            __typename: 'ValidationError',
            issues: [
              {
                path: ['scheduledAt'],
                message: `Is no slot of the job. The nearest are ${slot(2)} and ${slot(3)}.`,
              },
            ],
          },
        ],
      },
    });
  });

  it('costs one more statement for the upcoming runs of any number of jobs', async () => {
    const statementsFor = async (fields: string) => {
      api.takeStatements();
      await api.query(`{ jobs(first: 100) { nodes { ${fields} } } }`);
      return api.takeStatements().length;
    };
    for (let n = 0; n < 10; n += 1) await minutely();
    expect(await statementsFor('id upcomingRuns(count: 2)')).toBe((await statementsFor('id')) + 1);
  });
});
