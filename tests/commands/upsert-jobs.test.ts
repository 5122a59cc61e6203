import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CommandResult } from '../../src/commands/command-result.ts';
import { createJob, type CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import { deleteJob } from '../../src/commands/jobs/delete-job.ts';
import { pauseJob } from '../../src/commands/jobs/pause-job.ts';
import { upsertJob, upsertJobs, type UpsertOutcome } from '../../src/commands/jobs/upsert-jobs.ts';
import { checkJobBody } from '../../src/domain/job/job-body.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import type { StoredJob } from '../../src/store/jobs/jobs.ts';
import {
  BLOCKED_ADDRESS,
  CALLER,
  clearJobs,
  useCommandHarness,
  insertExecution,
  START,
  valueOf,
} from './harness.ts';

const harness = useCommandHarness();

const BASE = { name: 'Report', api: 'https://example.test/report', schedule: '0 * * * * *' };
const SECRETS = {
  api: 'https://user:hunter2@example.test/?token=abc',
  headers: { Authorization: 'Bearer s3cret', Accept: 'text/plain' },
};

const job = (key: string, input: Partial<CreateJobInput> = {}): CreateJobInput => ({
  ...BASE,
  key,
  ...input,
});
const one = (input: CreateJobInput) => upsertJob(harness.deps, CALLER, input);
const many = (...jobs: CreateJobInput[]): Promise<CommandResult<UpsertOutcome>> =>
  upsertJobs(harness.deps, CALLER, { jobs });

async function counts(...jobs: CreateJobInput[]): Promise<number[]> {
  const { createdCount, changedCount, unchangedCount } = valueOf(await many(...jobs));
  return [createdCount, changedCount, unchangedCount];
}

/** The number of log entries, and the state of all jobs. */
async function everything(): Promise<unknown> {
  const jobs = await harness.pool.query('SELECT * FROM jobs ORDER BY key');
  return [jobs.rows, (await harness.auditEntries()).length, (await harness.events()).length];
}

/** A field of an input. It is missing half of the time. */
const maybe = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: undefined });

/** Any valid definition. */
const definitions = fc.record({
  name: fc.constantFrom('One', 'Two'),
  api: fc.constantFrom('https://a.test/', 'http://u:p@b.test/?key=1&x={{execution.id}}'),
  description: maybe(fc.constantFrom(null, '', 'Some')),
  when: fc.constantFrom(
    {},
    { schedule: null },
    { schedule: '@hourly' },
    { schedule: '*/5 * * * * *', timezone: 'europe/berlin', endAt: new Date('2031-01-01T00:00:00.001Z') },
    { schedule: '@every 90s', startAt: new Date('2025-03-01T13:00:00Z') },
    { runAt: new Date('2025-04-01T00:00:00.123Z'), timezone: 'UTC' },
  ),
  headers: maybe(fc.constantFrom(null, {}, { 'X-B': '2', Authorization: 's', 'X-A': '{{job.id}}' })),
  body: maybe(fc.oneof(fc.constant('text'), fc.jsonValue({ maxDepth: 2 }).filter(isAccepted))),
  method: maybe(fc.constantFrom(null, 'POST' as const)),
  timeoutMs: maybe(fc.constantFrom(null, 1_000)),
  successStatuses: maybe(fc.constantFrom(['200', '404'], ['2xx'])),
  retryPolicy: maybe(
    fc.constantFrom(null, {}, { maxRetries: 5, jitter: -0, retryOn: [] }, { initialDelayMs: 7, jitter: 0.1 }),
  ),
  priority: maybe(fc.constantFrom(-0, 5, null)),
  maxConcurrency: maybe(fc.constantFrom(null, 3)),
  misfirePolicy: maybe(fc.constantFrom(null, 'SKIP' as const)),
  tags: maybe(fc.constantFrom(null, [], ['B', 'a', 'a '])),
  status: maybe(fc.constantFrom(null, 'ACTIVE', 'PAUSED')),
});

function isAccepted(body: unknown): boolean {
  const text = JSON.stringify(body);
  return checkJobBody(body) === null && !text.includes('\\u') && !text.includes('{{');
}

describe('an upsert', () => {
  it('has the same result as creating, from any state, and changes nothing the second time', async () => {
    await fc.assert(
      fc.asyncProperty(definitions, definitions, async (first, second) => {
        await clearJobs(harness.pool);
        const [from, to] = [first, second].map(({ when, ...input }) => ({ ...input, ...when }));
        valueOf(await one({ name: '', api: '', ...from, key: 'it' }));
        harness.clock.set('2025-03-01T12:00:30.000Z');
        const wanted = {
          name: '',
          api: '',
          ...to,
          status: to?.status ?? 'ACTIVE',
          tags: to?.tags ?? [],
          key: 'it',
        };
        const made = valueOf(await one(wanted));
        const model = valueOf(await createJob(harness.deps, CALLER, { ...wanted, key: 'model' }));
        expect(definitionOf(made)).toEqual(definitionOf(model));

        const before = await everything();
        expect(valueOf(await one({ ...wanted, key: 'it' })).version).toBe(made.version);
        expect(await counts({ ...wanted, key: 'it' })).toEqual([0, 0, 1]);
        expect(await everything()).toEqual(before);
        harness.clock.set(START);
      }),
      { numRuns: 40 },
    );
  });

  it('distinguishes new, changed and unchanged jobs, each with its audit entry and event', async () => {
    const jobs = [job('a'), job('b', { tags: ['x'] }), job('c')];
    expect(await counts(...jobs)).toEqual([3, 0, 0]);
    expect(await counts(...jobs)).toEqual([0, 0, 3]);
    const outcome = valueOf(await many(job('d'), job('b', { name: 'Renamed', tags: [] }), job('a')));
    expect(outcome).toMatchObject({ createdCount: 1, changedCount: 1, unchangedCount: 1 });
    expect(outcome.jobs.map(({ key, name, version }) => [key, name, version])).toEqual([
      ['d', 'Report', 1],
      ['b', 'Renamed', 2],
      ['a', 'Report', 1],
    ]);
    const entries = await harness.auditEntries();
    expect(entries.map(({ action }) => action)).toEqual([
      'CREATED',
      'CREATED',
      'CREATED',
      'CREATED',
      'UPDATED',
    ]);
    expect(entries.at(-1)).toMatchObject({
      before: { name: 'Report', tags: ['x'] },
      after: { name: 'Renamed', tags: [] },
    });
    expect((await harness.events()).map(({ kind }) => kind).slice(3)).toEqual(['JOB_CREATED', 'JOB_UPDATED']);
    expect(valueOf(await many())).toEqual({ jobs: [], createdCount: 0, changedCount: 0, unchangedCount: 0 });
  });

  it('keeps status and tags when the input does not have them', async () => {
    const { id } = valueOf(await one(job('a', { tags: ['x'], description: 'Some', priority: 5 })));
    valueOf(await pauseJob(harness.deps, CALLER, { id: encodePublicId('Job', id), reason: 'Maintenance' }));
    expect(await counts(job('a', { description: 'Some', priority: 5 }))).toEqual([0, 0, 1]);
    expect(valueOf(await one(job('a')))).toMatchObject({
      id,
      status: 'PAUSED',
      pauseReason: 'Maintenance',
      tags: ['x'],
      description: null,
      priority: 0,
      version: 3,
    });
    expect(valueOf(await one(job('a', { status: 'ACTIVE' })))).toMatchObject({
      status: 'ACTIVE',
      version: 4,
    });
  });

  it('keeps the secrets of the job for masks, and refuses masks without a secret', async () => {
    valueOf(await one(job('a', SECRETS)));
    const shown = {
      api: 'https://user:***@example.test/?token=***',
      headers: { Authorization: '***', Accept: 'text/plain' },
    };
    expect(await counts(job('a', shown))).toEqual([0, 0, 1]);
    expect(await many(job('b', shown))).toMatchObject({
      ok: false,
      errors: [{ path: ['input', 'jobs', '0', 'api'] }],
    });
  });

  it('accepts ACTIVE for a completed job without a change', async () => {
    const once = job('a', { schedule: null, runAt: new Date('2025-03-01T12:00:10Z'), status: 'ACTIVE' });
    const { id } = valueOf(await one(once));
    await harness.pool.query(`UPDATE jobs SET status = 'COMPLETED', next_run_at = NULL WHERE id = $1`, [id]);
    harness.clock.set('2025-03-02T12:00:00Z');
    expect(await counts(once)).toEqual([0, 0, 1]);
    const again = valueOf(await one({ ...once, runAt: new Date('2025-03-03T00:00:00Z') }));
    expect(again).toMatchObject({ status: 'ACTIVE', nextRunAt: new Date('2025-03-03T00:00:00Z') });
  });

  it('creates a new job for the key of a deleted one', async () => {
    const { id } = valueOf(await one(job('a')));
    valueOf(await deleteJob(harness.deps, CALLER, { id: encodePublicId('Job', id) }));
    expect(valueOf(await one(job('a'))).id).not.toBe(id);
  });

  it('withdraws runs that the old schedule had planned', async () => {
    const jobs = valueOf(await many(job('a'), job('b'))).jobs;
    for (const { id } of jobs) {
      const execution = { id: newUuidV7(new Date(START)), jobId: id, status: 'PENDING' };
      await insertExecution(harness.pool, { ...execution, at: '2025-03-01T12:01:00.000Z' });
    }
    valueOf(await many(job('a', { schedule: '@hourly' }), job('b', { status: 'PAUSED' })));
    const { rows } = await harness.pool.query('SELECT DISTINCT status FROM job_executions');
    expect(rows).toEqual([{ status: 'CANCELLED' }]);
    expect((await harness.events()).map(({ kind }) => kind).slice(2)).toEqual([
      'EXECUTION_CANCELLED',
      'EXECUTION_CANCELLED',
      'JOB_UPDATED',
      'JOB_PAUSED',
    ]);
  });
});

describe('an upsert at the same moment as others', () => {
  it('creates each job once, in any order of arrival', async () => {
    const keys = ['c', 'a', 'd', 'b'];
    const calls = Array.from({ length: 6 }, (_, index) => [
      ...keys.slice(index % 4),
      ...keys.slice(0, index % 4),
    ]);
    const outcomes = await Promise.all(calls.map((order) => many(...order.map((key) => job(key)))));
    const created = outcomes.map((outcome) => valueOf(outcome).createdCount);
    expect(created.toSorted()).toEqual([0, 0, 0, 0, 0, 4]);
    expect(await harness.auditEntries()).toHaveLength(4);
    expect(await harness.events()).toHaveLength(4);
  });

  it('leaves each key as one of them defines it, with a version for each change', async () => {
    const names = ['A', 'B', 'C', 'D'];
    const results = await Promise.all(names.map((name) => one(job('a', { name }))));
    expect(results.map((result) => valueOf(result).version).toSorted()).toEqual([1, 2, 3, 4]);
    const { rows } = await harness.pool.query<StoredJob>('SELECT name, version FROM jobs');
    expect(rows).toEqual([{ name: expect.toBeOneOf(names) as string, version: 4 }]);
  });
});

describe('an upsert is refused, as a whole,', () => {
  it.each<[string, CreateJobInput[], object[]]>([
    [
      'where a key is missing',
      [job('a'), { ...BASE }, { ...BASE, key: null }],
      [{ path: ['input', 'jobs', '1', 'key'] }, { path: ['input', 'jobs', '2', 'key'] }],
    ],
    [
      'where two jobs have one key',
      [job('a'), job('b'), job('a')],
      [
        {
          kind: 'ValidationError',
          path: ['input', 'jobs', '2', 'key'],
          message: 'input.jobs.2.key: The jobs 0 and 2 of the list have the same key.',
        },
      ],
    ],
    [
      'where one of the jobs may not be as it is to be',
      [
        job('new'),
        job('old', { schedule: '* * *' }),
        job('bad', { timeoutMs: -1, retryPolicy: { jitter: 2 } }),
      ],
      [
        { kind: 'InvalidScheduleError', path: ['input', 'jobs', '1', 'schedule'] },
        {
          kind: 'ValidationError',
          issues: [
            { path: ['input', 'jobs', '2', 'timeoutMs'] },
            { path: ['input', 'jobs', '2', 'retryPolicy', 'jitter'] },
          ],
        },
      ],
    ],
    [
      'where a key is none',
      [job(''), job('a b'), job('a\0'), job('k'.repeat(201))],
      [0, 1, 2, 3].map((index) => ({ path: ['input', 'jobs', `${index}`, 'key'] })),
    ],
    [
      'where a job would have no run, or may not be called',
      [job('a', { schedule: null, runAt: new Date(0) }), job('b', { api: `http://${BLOCKED_ADDRESS}/` })],
      [
        { kind: 'ValidationError', path: ['input', 'jobs', '0', 'runAt'] },
        { kind: 'TargetBlockedError', path: ['input', 'jobs', '1', 'api'] },
      ],
    ],
    [
      'where there are more than 1,000',
      Array.from({ length: 1_001 }, (_, index) => job(`k${index}`)),
      [
        {
          path: ['input', 'jobs'],
          message: expect.stringContaining('1001 jobs; allowed are 1000') as string,
        },
      ],
    ],
  ])('%s', async (_why, jobs, errors) => {
    valueOf(await one(job('old')));
    const before = await everything();
    expect(await many(...jobs)).toMatchObject({ ok: false, errors });
    expect(await everything()).toEqual(before);
  });

  it('with the errors of the first jobs when all are wrong', async () => {
    const jobs = Array.from({ length: 300 }, (_, index) => job(`k${index}`, { name: '' }));
    const result = await many(...jobs);
    expect(result.ok ? [] : result.errors).toHaveLength(100);
  });

  it('for a single job with the same paths as in creating', async () => {
    expect(await one({ ...BASE })).toMatchObject({ ok: false, errors: [{ path: ['key'] }] });
    expect(await one(job('a', { name: '' }))).toMatchObject({ ok: false, errors: [{ path: ['name'] }] });
  });
});

const OWN = new Set(['id', 'key', 'version', 'createdAt', 'updatedAt', 'nextRunAt', 'pausedAt']);

/** The fields that two jobs of one definition share. */
function definitionOf(made: StoredJob): object {
  return Object.fromEntries(Object.entries(made).filter(([field]) => !OWN.has(field)));
}
