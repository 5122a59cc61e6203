import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { clearJobs, START } from '../commands/harness.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
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

const CREATE = /* GraphQL */ `
  mutation ($input: CreateJobInput!) {
    createJob(input: $input) {
      job {
        id
        version
        nextRunAt
      }
      errors {
        __typename
        code
        message
        path
        ... on ValidationError {
          issues {
            path
            message
          }
        }
        ... on InvalidScheduleError {
          schedule
        }
      }
    }
  }
`;
type Created = {
  createJob: {
    job: { id: string; version: number; nextRunAt: string } | null;
    errors: { __typename: string; message: string; issues?: { path: string[]; message: string }[] }[];
  };
};

async function createdJob(input: Record<string, unknown> = {}): Promise<string> {
  const defaults = { name: 'Report', api: 'https://example.test/report', schedule: '0 * * * * *' };
  const { createJob } = await api.query<Created>(CREATE, { input: { ...defaults, ...input } });
  expect(createJob.errors).toEqual([]);
  return createJob.job?.id ?? '';
}

describe('a job', () => {
  it('is read back as created, secrets masked', async () => {
    const id = await createdJob({
      key: 'report',
      description: 'Daily figures',
      api: 'https://user:hunter2@example.test/report?token=abc&page=1',
      headers: { Authorization: 'Bearer s3cret', Accept: 'text/plain' },
      body: { deep: [1, null, 'x'] },
      method: 'POST',
      type: 'ATMOST_ONCE',
      retryPolicy: { maxRetries: 5, retryOn: ['503'] },
      startAt: '2025-03-01T14:00:00+02:00',
    });
    const { job } = await api.query<{ job: Record<string, unknown> }>(
      `query ($id: ID) { job(id: $id) {
        id key name description status type schedule scheduleDescription timezone runAt startAt endAt jitterMs api method
        headers body timeoutMs successStatuses misfirePolicy misfireGraceMs dstGapPolicy dstOverlapPolicy priority nextRunAt
        upcomingRuns(count: 2) pausedAt pausedUntil pauseReason pausedBy version createdAt updatedAt deletedAt
        retryPolicy { maxRetries backoffStrategy initialDelayMs maxDelayMs jitter retryOn respectRetryAfter }
        lastExecution { id } executions { totalCount nodes { id } }
      } }`,
      { id },
    );
    expect(job).toEqual({
      id,
      key: 'report',
      name: 'Report',
      description: 'Daily figures',
      status: 'ACTIVE',
      type: 'ATMOST_ONCE',
      schedule: '0 * * * * *',
      scheduleDescription: 'Every minute',
      timezone: 'UTC',
      runAt: null,
      startAt: START,
      endAt: null,
      jitterMs: 0,
      api: 'https://user:***@example.test/report?token=***&page=1',
      method: 'POST',
      headers: { Authorization: '***', Accept: 'text/plain' },
      body: { deep: [1, null, 'x'] },
      timeoutMs: 30_000,
      successStatuses: ['2xx'],
      misfirePolicy: 'RUN_ONCE',
      misfireGraceMs: 60_000,
      dstGapPolicy: 'SHIFT',
      dstOverlapPolicy: 'FIRST',
      priority: 0,
      nextRunAt: '2025-03-01T12:01:00.000Z',
      upcomingRuns: ['2025-03-01T12:01:00.000Z', '2025-03-01T12:02:00.000Z'],
      pausedAt: null,
      pausedUntil: null,
      pauseReason: null,
      pausedBy: null,
      version: 1,
      createdAt: START,
      updatedAt: START,
      deletedAt: null,
      retryPolicy: {
        maxRetries: 5,
        backoffStrategy: 'EXPONENTIAL',
        initialDelayMs: 1000,
        maxDelayMs: 60000,
        jitter: 0,
        retryOn: ['503'],
        respectRetryAfter: true,
      },
      lastExecution: null,
      executions: { totalCount: 0, nodes: [] },
    });
  });

  it('is found by id and by key, and as a node', async () => {
    const id = await createdJob({ key: 'report' });
    const found = await api.query(
      `query ($id: ID!) {
        byId: job(id: $id) { name } byKey: job(key: "report") { id } other: job(key: "other") { id }
        node(id: $id) { __typename id ... on Job { name executions { totalCount } } }
        nodes(ids: [$id, "nonsense"]) { id }
      }`,
      { id },
    );
    expect(found).toEqual({
      byId: { name: 'Report' },
      byKey: { id },
      other: null,
      node: { __typename: 'Job', id, name: 'Report', executions: { totalCount: 0 } },
      nodes: [{ id }, null],
    });
  });

  it('is not read again when a mutation selects only its id, nor is its execution', async () => {
    const create = `mutation ($input: CreateJobInput!) { createJob(input: $input) { job { __typename id } } }`;
    const input = { name: 'Report', api: 'https://example.test/' };
    api.takeStatements();
    const created = await api.query<{ createJob: { job: { id: string } } }>(create, { input });
    const { id } = created.createJob.job;
    const written = api.takeStatements();
    const trigger = `mutation ($id: ID!) { triggerJob(input: { id: $id }) { execution { id } } }`;
    const triggered = await api.query<{ triggerJob: { execution: { id: string } } }>(trigger, { id });
    // Each is one statement, which is its own transaction.
    expect([written.length, api.takeStatements().length]).toEqual([1, 1]);
    expect(
      await api.query('query ($ids: [ID!]!) { nodes(ids: $ids) { __typename } }', {
        ids: [id, triggered.triggerJob.execution.id],
      }),
    ).toEqual({ nodes: [{ __typename: 'Job' }, { __typename: 'Execution' }] });
  });

  it('is changed, paused, resumed, triggered and deleted', async () => {
    const id = await createdJob();
    const mutate = (
      name: string,
      type: string,
      input: object,
      payload = 'job { status version pauseReason }',
    ) =>
      api.query<Record<string, unknown>>(
        `mutation ($input: ${type}!) { ${name}(input: $input) { ${payload} errors { code } } }`,
        { input: { id, ...input } },
      );
    expect(await mutate('updateJob', 'UpdateJobInput', { name: 'New', expectedVersion: 1 })).toEqual({
      updateJob: { job: { status: 'ACTIVE', version: 2, pauseReason: null }, errors: [] },
    });
    expect(await mutate('pauseJob', 'PauseJobInput', { reason: 'Why' })).toEqual({
      pauseJob: { job: { status: 'PAUSED', version: 3, pauseReason: 'Why' }, errors: [] },
    });
    expect(await mutate('resumeJob', 'ResumeJobInput', {})).toEqual({
      resumeJob: { job: { status: 'ACTIVE', version: 4, pauseReason: null }, errors: [] },
    });
    const execution = 'execution { status trigger job { id } request { method url headers body } }';
    expect(await mutate('triggerJob', 'TriggerJobInput', { body: 'hello' }, execution)).toEqual({
      triggerJob: {
        execution: {
          status: 'PENDING',
          trigger: 'MANUAL',
          job: { id },
          request: { method: 'GET', url: 'https://example.test/report', headers: {}, body: 'hello' },
        },
        errors: [],
      },
    });
    expect(
      await mutate('triggerJob', 'TriggerJobInput', { body: { token: '***' } }, 'execution { id }'),
    ).toEqual({ triggerJob: { execution: null, errors: [{ code: 'VALIDATION' }] } });
    expect(await mutate('deleteJob', 'DeleteJobInput', { expectedVersion: 1 })).toEqual({
      deleteJob: { job: null, errors: [{ code: 'VERSION_CONFLICT' }] },
    });
    expect(await mutate('deleteJob', 'DeleteJobInput', {})).toEqual({
      deleteJob: { job: { status: 'DELETED', version: 5, pauseReason: null }, errors: [] },
    });
    expect(await mutate('deleteJob', 'DeleteJobInput', {})).toEqual({
      deleteJob: { job: null, errors: [{ code: 'NOT_FOUND' }] },
    });
  });
});

describe('a list of jobs', () => {
  it('costs the same number of statements whatever its length', async () => {
    const source = /* GraphQL */ `
      {
        jobs(first: 100) {
          totalCount
          edges {
            cursor
            node {
              id
              name
              retryPolicy {
                maxRetries
              }
              upcomingRuns(count: 1)
              lastExecution {
                id
                status
                job {
                  name
                }
                attempts {
                  number
                }
                deadLetter {
                  failedAt
                }
                request {
                  url
                }
              }
              executions(first: 3) {
                totalCount
                nodes {
                  id
                  status
                }
              }
            }
          }
          pageInfo {
            hasNextPage
          }
        }
      }
    `;
    type Data = {
      jobs: { totalCount: number; edges: { node: { lastExecution: { status: string } | null } }[] };
    };
    const fill = async (count: number) => {
      for (let index = 0; index < count; index += 1) {
        const jobId = await insertJob(api.pool, { name: `Job ${index}` });
        await insertExecution(api.pool, jobId, 'SUCCESS');
        await insertExecution(api.pool, jobId, 'FAILED', { at: new Date('2030-02-01T00:00:00.000Z') });
      }
    };
    await fill(2);
    await api.query(source);
    api.takeStatements();
    await api.query(source);
    const few = api.takeStatements();
    await fill(38);
    api.takeStatements();
    const { jobs } = await api.query<Data>(source);
    const many = api.takeStatements();
    expect(jobs.totalCount).toBe(40);
    expect(jobs.edges.every(({ node }) => node.lastExecution?.status === 'FAILED')).toBe(true);
    expect(many.length).toBe(few.length);
    expect(many.length).toBeLessThanOrEqual(11);
  });

  it('reads only the requested columns, and counts only on request', async () => {
    await insertJob(api.pool);
    api.takeStatements();
    await api.query('{ jobs { nodes { name } } }');
    const statements = api.takeStatements();
    expect(statements).toHaveLength(1);
    expect(statements[0]).not.toMatch(/"body"|"headers"|COUNT/i);
  });

  it('leaves out deleted jobs unless the status is asked for', async () => {
    await insertJob(api.pool, { name: 'Kept' });
    await insertJob(api.pool, { name: 'Gone', status: 'DELETED', deleted_at: new Date() });
    const names = (where: object) =>
      api
        .query<{ jobs: { nodes: { name: string }[] } }>(
          'query ($where: JobWhere) { jobs(where: $where) { nodes { name } } }',
          { where },
        )
        .then(({ jobs }) => jobs.nodes.map(({ name }) => name));
    expect(await names({})).toEqual(['Kept']);
    expect(await names({ name: { startsWith: 'G' } })).toEqual([]);
    expect(await names({ status: ['DELETED'] })).toEqual(['Gone']);
    expect((await names({ OR: [{ status: ['DELETED'] }, { name: { eq: 'Kept' } }] })).toSorted()).toEqual([
      'Gone',
      'Kept',
    ]);
  });
});

describe('the scheduler’s status', () => {
  it('distinguishes live instances from dead ones, and shows due executions', async () => {
    const beat = (iso: string, facts: object = {}) => ({
      hostname: 'host',
      version: '1.0.0',
      started_at: new Date('2025-03-01T00:00:00.000Z'),
      last_heartbeat_at: new Date(iso),
      ...facts,
    });
    await api.pool.query('TRUNCATE scheduler_metadata');
    await insertRow(api.pool, 'scheduler_metadata', {
      instance_id: 'alive',
      ...beat('2025-03-01T11:58:30.000Z'),
    });
    await insertRow(api.pool, 'scheduler_metadata', {
      instance_id: 'silent',
      ...beat('2025-03-01T11:58:29.999Z'),
    });
    await insertRow(api.pool, 'scheduler_metadata', {
      instance_id: 'stopped',
      ...beat(START, { stopped_at: new Date(START) }),
    });
    await insertJob(api.pool, { next_run_at: new Date('2025-03-01T11:59:00.000Z') });
    await insertJob(api.pool, { next_run_at: new Date('2025-03-01T12:30:00.000Z') });
    const { schedulerStatus } = await api.query<{
      schedulerStatus: { instances: { instanceId: string; alive: boolean }[] };
    }>('{ schedulerStatus { instances { instanceId alive } nextRunAt dueJobs oldestDueAt } }');
    expect(
      Object.fromEntries(schedulerStatus.instances.map(({ instanceId, alive }) => [instanceId, alive])),
    ).toEqual({
      alive: true,
      silent: false,
      stopped: false,
    });
    expect(schedulerStatus).toMatchObject({
      nextRunAt: '2025-03-01T11:59:00.000Z',
      dueJobs: 1,
      oldestDueAt: '2025-03-01T11:59:00.000Z',
    });
  });

  it('has the health of the process', async () => {
    expect(
      await api.query('{ health { status version database { latencyMs } scheduler { latencyMs message } } }'),
    ).toEqual({
      health: {
        status: 'UP',
        version: '1.2.3',
        database: { latencyMs: 0.5 },
        scheduler: { latencyMs: null, message: null },
      },
    });
  });
});

describe('an execution', () => {
  it('is read with its attempts, its log and its dead letter', async () => {
    const jobId = await insertJob(api.pool);
    const executionId = await insertExecution(api.pool, jobId, 'FAILED', {
      request: {
        method: 'POST',
        url: 'http://sent.test',
        headers: { a: 'b', 'x-attempt': '2' },
        body: 'sent',
      },
    });
    const at = new Date('2030-01-07T09:00:00.000Z');
    for (const number of [2, 1]) {
      await insertRow(api.pool, 'job_execution_attempts', {
        execution_id: executionId,
        number,
        started_at: at,
        finished_at: at,
        duration_ms: 0,
        instance_id: 'i',
        timings: { connectMs: 1.5, firstByteMs: 2, downloadMs: 3, totalMs: 6.5 },
      });
    }
    for (const position of [12, 11, 13]) {
      await insertRow(api.pool, 'job_execution_logs', {
        execution_id: executionId,
        position,
        at,
        level: 'INFO',
        message: `Line ${position}`,
        metadata: { position },
      });
    }
    const id = encodePublicId('Execution', executionId);
    const { execution } = await api.query<{ execution: { logs: { pageInfo: { endCursor: string } } } }>(
      `query ($id: ID!) { execution(id: $id) {
        id status instanceId nextAttemptAt request { method url headers body }
        attempts { number timings { dnsMs connectMs totalMs } }
        logs(first: 2) { nodes { message metadata } pageInfo { hasNextPage endCursor } }
        deadLetter { id failedAt execution { id } job { id } }
      } }`,
      { id },
    );
    expect(execution).toMatchObject({
      id,
      status: 'FAILED',
      instanceId: 'another-instance',
      nextAttemptAt: null,
      request: {
        method: 'POST',
        url: 'http://sent.test',
        headers: {
          a: 'b',
          'x-attempt': '2',
          'x-execution-id': id,
          'x-job-id': encodePublicId('Job', jobId),
          'idempotency-key': id,
        },
        body: 'sent',
      },
      attempts: [{ number: 1, timings: { dnsMs: null, connectMs: 1.5, totalMs: 6.5 } }, { number: 2 }],
      logs: {
        nodes: [
          { message: 'Line 11', metadata: { position: 11 } },
          { message: 'Line 12', metadata: { position: 12 } },
        ],
        pageInfo: { hasNextPage: true },
      },
      deadLetter: {
        id: encodePublicId('DeadLetter', executionId),
        failedAt: '2030-01-07T09:00:00.100Z',
        execution: { id },
        job: { id: encodePublicId('Job', jobId) },
      },
    });
    const rest = await api.query(
      `query ($id: ID!, $after: String, $dead: ID!) {
        execution(id: $id) { logs(after: $after) { nodes { message } pageInfo { hasNextPage hasPreviousPage } } }
        node(id: $dead) { __typename ... on DeadLetter { failureReason } }
      }`,
      { id, after: execution.logs.pageInfo.endCursor, dead: encodePublicId('DeadLetter', executionId) },
    );
    expect(rest).toEqual({
      execution: {
        logs: { nodes: [{ message: 'Line 13' }], pageInfo: { hasNextPage: false, hasPreviousPage: true } },
      },
      node: { __typename: 'DeadLetter', failureReason: 'HTTP_STATUS' },
    });
  });
});
