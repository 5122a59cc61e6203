import { describe, expect, it } from 'vitest';
import { createJob, type CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import { deleteJob } from '../../src/commands/jobs/delete-job.ts';
import { pauseJob } from '../../src/commands/jobs/pause-job.ts';
import { resumeJob } from '../../src/commands/jobs/resume-job.ts';
import { triggerJob } from '../../src/commands/executions/trigger-job.ts';
import type { WakeUp } from '../../src/events/wakeups.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import { endCountsOf, NO_ENDS } from '../support/rows.ts';
import { until } from '../support/until.ts';
import { CALLER, useCommandHarness, insertExecution, START, valueOf } from './harness.ts';

const harness = useCommandHarness();

async function existing(input: Partial<CreateJobInput> = {}): Promise<{ id: string; uuid: string }> {
  const defaults = { name: 'Report', api: 'https://example.test/report', schedule: '0 * * * * *' };
  const job = valueOf(await createJob(harness.deps, CALLER, { ...defaults, ...input }));
  return { id: encodePublicId('Job', job.id), uuid: job.id };
}

async function execution(
  jobId: string,
  facts: Partial<Parameters<typeof insertExecution>[1]>,
): Promise<string> {
  const id = newUuidV7(new Date(START));
  await insertExecution(harness.pool, { id, jobId, status: 'PENDING', at: START, ...facts });
  return id;
}

/** Starts `work` while a change of the job is not committed yet. Commits the change once `work` waits for it. */
async function duringChange<T>(jobId: string, change: string, work: () => Promise<T>): Promise<T> {
  const client = await harness.pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(change, [jobId]);
    const result = work();
    await until(async () => {
      const { rows } = await harness.pool.query(
        `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      );
      return rows.length > 0;
    });
    await client.query('COMMIT');
    return await result;
  } finally {
    client.release();
  }
}

async function statuses(): Promise<Record<string, string>> {
  const { rows } = await harness.pool.query<{ id: string; status: string }>(
    'SELECT id, status FROM job_executions',
  );
  return Object.fromEntries(rows.map(({ id, status }) => [id, status]));
}

describe('pauseJob', () => {
  it('stops the schedule and records who paused it, why and until when', async () => {
    const { id } = await existing();
    const until = new Date('2025-03-02T00:00:00.000Z');
    const job = valueOf(await pauseJob(harness.deps, CALLER, { id, reason: 'Maintenance', until }));
    expect(job).toMatchObject({
      status: 'PAUSED',
      nextRunAt: null,
      pausedAt: new Date(START),
      pausedBy: 'ada',
      pauseReason: 'Maintenance',
      pausedUntil: until,
      version: 2,
    });
    expect((await harness.auditEntries()).map(({ action }) => action)).toEqual(['CREATED', 'PAUSED']);
  });

  it('cancels planned executions that have not started, and nothing else', async () => {
    const { id, uuid } = await existing();
    const planned = await execution(uuid, { scheduledAt: '2025-03-01T11:00:00.000Z' });
    const interrupted = await execution(uuid, { scheduledAt: '2025-03-01T11:01:00.000Z', started: true });
    const running = await execution(uuid, { scheduledAt: '2025-03-01T11:02:00.000Z', status: 'RUNNING' });
    const manual = await execution(uuid, { trigger: 'MANUAL', scheduledAt: null });
    valueOf(await pauseJob(harness.deps, CALLER, { id }));

    expect(await statuses()).toEqual({
      [planned]: 'CANCELLED',
      [interrupted]: 'PENDING',
      [running]: 'RUNNING',
      [manual]: 'PENDING',
    });
    const events = await harness.events();
    expect(events.map(({ kind }) => kind)).toEqual(['JOB_CREATED', 'EXECUTION_CANCELLED', 'JOB_PAUSED']);
    expect(events[1]).toMatchObject({
      execution_id: planned,
      status: 'CANCELLED',
      previous_status: 'PENDING',
      trigger: 'SCHEDULE',
      finished_at: new Date(START),
    });
    expect(await endCountsOf(harness.pool)).toEqual({ ...NO_ENDS, cancelled: 1 });
  });

  it('changes nothing when it is repeated', async () => {
    const { id } = await existing();
    valueOf(await pauseJob(harness.deps, CALLER, { id, reason: 'Why' }));
    harness.clock.set('2025-03-01T13:00:00.000Z');
    const again = valueOf(await pauseJob(harness.deps, CALLER, { id, reason: 'Why' }));
    expect([again.version, again.pausedAt]).toEqual([2, new Date(START)]);
    expect(await harness.auditEntries()).toHaveLength(2);
  });

  it('refuses an end in the past, and text that cannot be stored', async () => {
    const { id } = await existing();
    const result = await pauseJob(harness.deps, CALLER, { id, until: new Date(START), reason: 'a\0b' });
    const issues = !result.ok && result.errors[0]?.kind === 'ValidationError' ? result.errors[0].issues : [];
    expect(issues.map(({ path }) => path)).toEqual([['reason'], ['until']]);
  });
});

describe('resumeJob', () => {
  it('continues with the next slot and replays nothing', async () => {
    const { id } = await existing();
    valueOf(await pauseJob(harness.deps, CALLER, { id, reason: 'Why' }));
    harness.clock.set('2025-03-01T14:30:30.000Z');
    const job = valueOf(await resumeJob(harness.deps, CALLER, { id }));
    expect(job).toMatchObject({
      status: 'ACTIVE',
      nextRunAt: new Date('2025-03-01T14:31:00.000Z'),
      pausedAt: null,
      pauseReason: null,
      pausedBy: null,
    });
  });

  it('completes a one-off whose instant has passed meanwhile', async () => {
    const { id } = await existing({ schedule: null, runAt: new Date('2025-03-01T13:00:00.000Z') });
    valueOf(await pauseJob(harness.deps, CALLER, { id }));
    harness.clock.set('2025-03-01T13:00:01.000Z');
    const job = valueOf(await resumeJob(harness.deps, CALLER, { id }));
    expect([job.status, job.nextRunAt]).toEqual(['COMPLETED', null]);
    expect((await harness.events()).map(({ kind }) => kind).slice(-2)).toEqual([
      'JOB_RESUMED',
      'JOB_COMPLETED',
    ]);
  });

  it('keeps an active job unchanged, and refuses a completed one', async () => {
    const { id, uuid } = await existing();
    expect(valueOf(await resumeJob(harness.deps, CALLER, { id })).version).toBe(1);
    await harness.pool.query(`UPDATE jobs SET status = 'COMPLETED', next_run_at = NULL WHERE id = $1`, [
      uuid,
    ]);
    expect(await resumeJob(harness.deps, CALLER, { id })).toMatchObject({
      ok: false,
      errors: [{ kind: 'ConflictError' }],
    });
    expect(await pauseJob(harness.deps, CALLER, { id })).toMatchObject({
      ok: false,
      errors: [{ kind: 'ConflictError' }],
    });
  });
});

describe('deleteJob', () => {
  it('cancels waiting executions and requests the cancellation of running ones', async () => {
    const { id, uuid } = await existing();
    const waiting = await execution(uuid, { trigger: 'MANUAL', scheduledAt: null });
    const retrying = await execution(uuid, {
      status: 'RETRYING',
      started: true,
      scheduledAt: '2025-03-01T11:01:00.000Z',
    });
    const running = await execution(uuid, { status: 'RUNNING', scheduledAt: '2025-03-01T11:02:00.000Z' });
    const job = valueOf(await deleteJob(harness.deps, CALLER, { id }));
    expect(job).toMatchObject({ status: 'DELETED', deletedAt: new Date(START), nextRunAt: null, version: 2 });

    expect(await statuses()).toEqual({
      [waiting]: 'CANCELLED',
      [retrying]: 'CANCELLED',
      [running]: 'RUNNING',
    });
    const { rows } = await harness.pool.query(
      'SELECT cancel_requested_at FROM job_executions WHERE id = $1',
      [running],
    );
    expect(rows).toEqual([{ cancel_requested_at: new Date(START) }]);
    expect((await harness.events()).map(({ kind }) => kind)).toEqual([
      'JOB_CREATED',
      'EXECUTION_CANCELLED',
      'EXECUTION_CANCELLED',
      'JOB_DELETED',
    ]);
  });

  it('leaves nothing that other commands can find', async () => {
    const { id } = await existing();
    valueOf(await deleteJob(harness.deps, CALLER, { id }));
    for (const command of [deleteJob, pauseJob, resumeJob, triggerJob]) {
      expect(await command(harness.deps, CALLER, { id })).toMatchObject({
        ok: false,
        errors: [{ kind: 'NotFoundError', id }],
      });
    }
  });

  it('refuses a version that is not current', async () => {
    const { id } = await existing();
    const result = await deleteJob(harness.deps, CALLER, { id, expectedVersion: 7 });
    expect(result).toMatchObject({
      ok: false,
      errors: [{ kind: 'VersionConflictError', currentVersion: 1 }],
    });
  });
});

describe('triggerJob', () => {
  it('plans an execution that is due at once, with the job’s priority and attempts', async () => {
    const { id, uuid } = await existing({ priority: 7, retryPolicy: { maxRetries: 2 } });
    const { executionId } = valueOf(await triggerJob(harness.deps, CALLER, { id, body: { a: 1 } }));
    const { rows } = await harness.pool.query('SELECT * FROM job_executions');
    expect(rows).toMatchObject([
      {
        id: executionId,
        job_id: uuid,
        status: 'PENDING',
        trigger: 'MANUAL',
        scheduled_at: null,
        available_at: new Date(START),
        priority: 7,
        max_attempts: 3,
        body_override: { a: 1 },
      },
    ]);
    const events = await harness.events();
    expect(events.at(-1)).toMatchObject({
      kind: 'EXECUTION_PLANNED',
      execution_id: executionId,
      status: 'PENDING',
      trigger: 'MANUAL',
    });
    expect((await harness.auditEntries()).at(-1)).toMatchObject({
      action: 'TRIGGERED',
      after: { executionId: encodePublicId('Execution', executionId) },
    });
  });

  it('wakes the workers, and the unblocker when the run has to wait for another', async () => {
    const { id } = await existing({ concurrencyPolicy: 'QUEUE' });
    const woken: WakeUp[][] = [];
    const deps = { ...harness.deps, wake: (...kinds: WakeUp[]) => woken.push(kinds) };
    await triggerJob(deps, CALLER, { id });
    await triggerJob(deps, CALLER, { id });
    expect(woken).toEqual([
      ['executions', 'events'],
      ['executions', 'events', 'blocked'],
    ]);
  });

  it.each([
    ['keeps the job’s body', {}, {}],
    ['replaces it', { body: { a: 1 } }, { bodyReplaced: true }],
    ['sends none', { body: null }, { bodyReplaced: true }],
    ['has a key', { idempotencyKey: 'order-7' }, { idempotencyKey: 'order-7' }],
  ])('is audited with its execution and no body when it %s', async (_what, input, told) => {
    const { id } = await existing({ body: { b: 2 } });
    const { executionId } = valueOf(await triggerJob(harness.deps, CALLER, { id, ...input }));
    expect((await harness.auditEntries()).at(-1)?.after).toEqual({
      executionId: encodePublicId('Execution', executionId),
      ...told,
    });
  });

  it('returns the first execution for a repeated idempotency key', async () => {
    const { id } = await existing();
    const first = valueOf(await triggerJob(harness.deps, CALLER, { id, idempotencyKey: 'once' }));
    const again = valueOf(await triggerJob(harness.deps, CALLER, { id, idempotencyKey: 'once' }));
    expect(again).toEqual({ executionId: first.executionId, created: false });
    const simultaneous = await Promise.all(
      Array.from({ length: 5 }, () => triggerJob(harness.deps, CALLER, { id, idempotencyKey: 'twice' })),
    );
    expect(new Set(simultaneous.map((result) => valueOf(result).executionId)).size).toBe(1);
    expect(Object.keys(await statuses())).toHaveLength(2);
    expect((await harness.auditEntries()).filter(({ action }) => action === 'TRIGGERED')).toHaveLength(2);
  });

  it('refuses a version that is not current, and leaves no trace', async () => {
    const { id } = await existing();
    expect(await triggerJob(harness.deps, CALLER, { id, expectedVersion: 7 })).toMatchObject({
      ok: false,
      errors: [{ kind: 'VersionConflictError', currentVersion: 1 }],
    });
    expect(await statuses()).toEqual({});
    expect((await harness.auditEntries()).map(({ action }) => action)).toEqual(['CREATED']);
    expect((await harness.events()).map(({ kind }) => kind)).toEqual(['JOB_CREATED']);
  });

  it.each([
    ['FORBID', null],
    ['ALLOW', 1],
  ] as const)('waits for a change that limits the job (%s, %s), and applies it', async (policy, limit) => {
    const { id, uuid } = await existing();
    await execution(uuid, { status: 'RUNNING' });
    const result = await duringChange(
      uuid,
      `UPDATE jobs SET concurrency_policy = '${policy}', max_concurrency = ${limit} WHERE id = $1`,
      () => triggerJob(harness.deps, CALLER, { id }),
    );
    const { executionId } = valueOf(result);
    expect((await statuses())[executionId]).toBe(policy === 'FORBID' ? 'SKIPPED' : 'BLOCKED');
  });

  it('waits for a change of the job, and runs the changed job', async () => {
    const { id, uuid } = await existing({ priority: 1 });
    const change = `UPDATE jobs SET priority = 9, api = 'https://other.test/' WHERE id = $1`;
    valueOf(await duringChange(uuid, change, () => triggerJob(harness.deps, CALLER, { id })));
    const { rows } = await harness.pool.query('SELECT priority, host FROM job_executions');
    expect(rows).toEqual([{ priority: 9, host: 'other.test' }]);
  });

  it('runs nothing of a job that is being deleted', async () => {
    const { id, uuid } = await existing();
    const deletion = `UPDATE jobs SET status = 'DELETED', deleted_at = now(), next_run_at = NULL WHERE id = $1`;
    const result = await duringChange(uuid, deletion, () => triggerJob(harness.deps, CALLER, { id }));
    expect(result).toMatchObject({ ok: false, errors: [{ kind: 'NotFoundError', id }] });
    expect(await statuses()).toEqual({});
  });

  it('runs a paused job by hand', async () => {
    const { id } = await existing();
    valueOf(await pauseJob(harness.deps, CALLER, { id }));
    expect(await triggerJob(harness.deps, CALLER, { id })).toMatchObject({
      ok: true,
      value: { created: true },
    });
  });

  it('refuses a body and a key beyond their limits', async () => {
    const { id } = await existing();
    const result = await triggerJob(harness.deps, CALLER, {
      id,
      body: 'x'.repeat(262_144),
      idempotencyKey: '',
    });
    const issues = !result.ok && result.errors[0]?.kind === 'ValidationError' ? result.errors[0].issues : [];
    expect(issues.map(({ path }) => path)).toEqual([['body'], ['idempotencyKey']]);
    expect(issues[0]?.message).toContain('262144');
  });

  it.each([
    ['without limits', {}],
    ['that may run once at a time', { concurrencyPolicy: 'QUEUE' as const }],
  ])('refuses a body for HEAD, of a job %s, and writes nothing', async (_what, limits) => {
    const { id } = await existing({ method: 'HEAD', ...limits });
    expect(await triggerJob(harness.deps, CALLER, { id, body: { a: 1 } })).toMatchObject({
      ok: false,
      errors: [
        {
          kind: 'ValidationError',
          issues: [{ path: ['body'], message: 'A HEAD request cannot carry a body.' }],
        },
      ],
    });
    expect(await statuses()).toEqual({});
    expect(await triggerJob(harness.deps, CALLER, { id, body: null })).toMatchObject({
      ok: true,
      value: { created: true },
    });
  });
});
