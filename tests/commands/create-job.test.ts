import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createJob, type CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import type { WakeUp } from '../../src/events/wakeups.ts';
import { decodePublicId, encodePublicId } from '../../src/domain/values/public-id.ts';
import { deleteJob } from '../../src/commands/jobs/delete-job.ts';
import { BLOCKED_ADDRESS, CALLER, useCommandHarness, START, valueOf } from './harness.ts';

const harness = useCommandHarness();

const MINUTELY: CreateJobInput = {
  name: 'Report',
  api: 'https://example.test/report',
  schedule: '0 * * * * *',
};
const create = (input: CreateJobInput) => createJob(harness.deps, CALLER, input);

async function countJobs(): Promise<number> {
  const { rows } = await harness.pool.query<{ count: bigint }>('SELECT count(*) FROM jobs');
  return Number(rows[0]?.count);
}

describe('createJob', () => {
  it('stores the job with every default and its first slot after now', async () => {
    const job = valueOf(await create(MINUTELY));
    expect(job).toMatchObject({
      status: 'ACTIVE',
      version: 1,
      type: 'ATLEAST_ONCE',
      method: 'GET',
      headers: {},
      body: null,
      timezone: 'UTC',
      timeoutMs: 30_000,
      successStatuses: ['2xx'],
      retryPolicy: null,
      misfirePolicy: 'RUN_ONCE',
      misfireGraceMs: 60_000,
      nextRunAt: new Date('2025-03-01T12:01:00.000Z'),
    });
    const { rows } = await harness.pool.query(
      'SELECT name, api, next_run_at, retry_on FROM jobs WHERE id = $1',
      [job.id],
    );
    expect(rows).toEqual([
      { name: 'Report', api: MINUTELY.api, next_run_at: new Date('2025-03-01T12:01:00.000Z'), retry_on: [] },
    ]);
  });

  it('writes one audit entry with secrets masked, and one event for filters', async () => {
    const job = valueOf(
      await create({ ...MINUTELY, key: 'report', headers: { Authorization: 'Bearer s3cret' } }),
    );
    const entries = await harness.auditEntries();
    expect(entries).toHaveLength(1);
    expect(entries[0]).toMatchObject({
      action: 'CREATED',
      actor: 'ada',
      job_id: job.id,
      before: null,
      request_id: 'request-1',
      address: '10.0.0.7',
    });
    expect(entries[0]?.after).toMatchObject({ name: 'Report', headers: { Authorization: '***' } });

    const events = await harness.events();
    expect(events.map(({ kind, job_id }) => [kind, job_id])).toEqual([['JOB_CREATED', job.id]]);
    expect(events[0]?.data).toEqual({
      key: 'report',
      name: 'Report',
      status: 'ACTIVE',
      api: MINUTELY.api,
      nextRunAt: '2025-03-01T12:01:00.000Z',
      createdAt: START,
      tags: [],
    });
  });

  it('completes a partial retry policy', async () => {
    const job = valueOf(await create({ ...MINUTELY, retryPolicy: { maxRetries: 5 } }));
    expect(job.retryPolicy).toEqual({
      maxRetries: 5,
      backoffStrategy: 'EXPONENTIAL',
      initialDelayMs: 1_000,
      maxDelayMs: 60_000,
      jitter: 0,
      retryOn: ['408', '425', '429', '5xx'],
      respectRetryAfter: true,
    });
  });

  it('keeps a one-off that is late by less than the grace, and refuses a later one', async () => {
    const runAt = (iso: string): CreateJobInput => ({
      name: 'Once',
      api: 'http://example.test',
      runAt: new Date(iso),
    });
    expect(valueOf(await create(runAt('2025-03-01T11:59:01.000Z'))).nextRunAt).toEqual(
      new Date('2025-03-01T11:59:01.000Z'),
    );
    const refused = await create(runAt('2025-03-01T11:58:59.000Z'));
    expect(refused).toMatchObject({ ok: false, errors: [{ kind: 'ValidationError', path: ['runAt'] }] });
  });

  it('creates a job that runs only by hand without schedule and runAt', async () => {
    const job = valueOf(await create({ name: 'By hand', api: 'http://example.test' }));
    expect([job.status, job.nextRunAt]).toEqual(['ACTIVE', null]);
  });

  it('creates a paused job without a next run', async () => {
    const job = valueOf(await create({ ...MINUTELY, status: 'PAUSED' }));
    expect([job.status, job.nextRunAt, job.pausedAt, job.pausedBy]).toEqual([
      'PAUSED',
      null,
      new Date(START),
      'ada',
    ]);
  });

  it('applies startAt and endAt', async () => {
    const startAt = new Date('2025-04-01T00:00:00.000Z');
    expect(valueOf(await create({ ...MINUTELY, startAt })).nextRunAt).toEqual(startAt);
    const past = await create({ ...MINUTELY, endAt: new Date('2025-02-01T00:00:00.000Z') });
    expect(past).toMatchObject({ ok: false, errors: [{ kind: 'ValidationError', path: ['endAt'] }] });
    const empty = await create({
      ...MINUTELY,
      schedule: '0 0 0 1 1 *',
      endAt: new Date('2025-05-01T00:00:00.000Z'),
    });
    expect(empty).toMatchObject({
      ok: false,
      errors: [{ kind: 'InvalidScheduleError', path: ['schedule'] }],
    });
  });

  it('refuses a key of another job until that job is deleted', async () => {
    const first = valueOf(await create({ ...MINUTELY, key: 'report' }));
    expect(await create({ ...MINUTELY, key: 'report' })).toMatchObject({
      ok: false,
      errors: [{ kind: 'ConflictError', path: ['key'] }],
    });
    valueOf(await deleteJob(harness.deps, CALLER, { id: encodePublicId('Job', first.id) }));
    expect(await create({ ...MINUTELY, key: 'report' })).toMatchObject({ ok: true });
  });

  it('lets exactly one of two simultaneous creations have the key', async () => {
    const results = await Promise.all([create({ ...MINUTELY, key: 'k' }), create({ ...MINUTELY, key: 'k' })]);
    expect(results.map(({ ok }) => ok).toSorted()).toEqual([false, true]);
    expect(await countJobs()).toBe(1);
  });

  it('refuses an address that the operator has blocked', async () => {
    const result = await create({ ...MINUTELY, api: `http://${BLOCKED_ADDRESS}/latest` });
    expect(result).toMatchObject({
      ok: false,
      errors: [{ kind: 'TargetBlockedError', address: BLOCKED_ADDRESS }],
    });
    expect(await countJobs()).toBe(0);
  });

  it('names all errors at once, and writes nothing', async () => {
    const result = await create({
      name: '',
      api: 'ftp://example.test',
      schedule: '* * *',
      timezone: 'Mars/Olympus',
      timeoutMs: -1,
      retryPolicy: { maxRetries: 1_000, jitter: Number.NaN },
    });
    expect(result.ok).toBe(false);
    const errors = result.ok ? [] : result.errors;
    expect(errors.map(({ kind }) => kind)).toEqual(['ValidationError', 'InvalidScheduleError']);
    const [validation] = errors;
    const paths =
      validation?.kind === 'ValidationError' ? validation.issues.map(({ path }) => path.join('.')) : [];
    expect(paths.toSorted()).toEqual(
      ['api', 'name', 'retryPolicy.jitter', 'retryPolicy.maxRetries', 'timeoutMs', 'timezone'].toSorted(),
    );
    expect([await countJobs(), await harness.events(), await harness.auditEntries()]).toEqual([0, [], []]);
  });

  it('wakes planners and log followers after the commit', async () => {
    const woken: WakeUp[] = [];
    const deps = { ...harness.deps, wake: (...kinds: WakeUp[]) => woken.push(...kinds) };
    await createJob(deps, CALLER, MINUTELY);
    expect(woken).toEqual(['jobs', 'events']);
  });

  it('writes a job without tags, its audit entry and its event in one statement', async () => {
    const statements = vi.spyOn(harness.pool, 'query');
    const connections = vi.spyOn(harness.pool, 'connect');
    onTestFinished(() => {
      vi.restoreAllMocks();
    });
    await create(MINUTELY);
    expect([statements.mock.calls.length, connections.mock.calls.length]).toEqual([1, 1]);
    vi.restoreAllMocks();
    expect([
      await countJobs(),
      (await harness.auditEntries()).length,
      (await harness.events()).length,
    ]).toEqual([1, 1, 1]);
  });

  it('returns public ids of jobs', async () => {
    const job = valueOf(await create(MINUTELY));
    expect(decodePublicId('Job', encodePublicId('Job', job.id))).toBe(job.id);
  });
});
