import { describe, expect, it } from 'vitest';
import { createJob, type CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import { updateJob, type UpdateJobInput } from '../../src/commands/jobs/update-job.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import type { StoredJob } from '../../src/store/jobs/jobs.ts';
import { BLOCKED_ADDRESS, CALLER, useCommandHarness, START, valueOf } from './harness.ts';

const harness = useCommandHarness();

async function existing(input: Partial<CreateJobInput> = {}): Promise<StoredJob> {
  const result = await createJob(harness.deps, CALLER, {
    name: 'Report',
    api: 'https://user:hunter2@example.test/report?token=abc',
    schedule: '0 * * * * *',
    headers: { Authorization: 'Bearer s3cret', Accept: 'text/plain' },
    ...input,
  });
  return valueOf(result);
}

const update = (job: StoredJob, input: Omit<UpdateJobInput, 'id'>) =>
  updateJob(harness.deps, CALLER, { id: encodePublicId('Job', job.id), ...input });

describe('updateJob', () => {
  it('changes the given fields, keeps the rest, and increments the version', async () => {
    const job = await existing({ description: 'Old' });
    harness.clock.set('2025-03-01T12:00:30.000Z');
    const changed = valueOf(await update(job, { name: 'Renamed', description: null }));
    expect(changed).toMatchObject({
      name: 'Renamed',
      description: null,
      version: 2,
      api: job.api,
      nextRunAt: job.nextRunAt,
    });
    expect(changed.updatedAt).toEqual(new Date('2025-03-01T12:00:30.000Z'));

    const [, entry] = await harness.auditEntries();
    expect(entry).toMatchObject({
      action: 'UPDATED',
      before: { name: 'Report', description: 'Old' },
      after: { name: 'Renamed', description: null },
    });
    expect((await harness.events()).map(({ kind }) => kind)).toEqual(['JOB_CREATED', 'JOB_UPDATED']);
  });

  it('writes nothing when nothing changes', async () => {
    const job = await existing();
    const same = valueOf(
      await update(job, { name: job.name, headers: { ...job.headers }, schedule: job.schedule }),
    );
    expect(same.version).toBe(1);
    expect([await harness.auditEntries(), await harness.events()].map((rows) => rows.length)).toEqual([1, 1]);
  });

  it('refuses null for fields that may not be null', async () => {
    const job = await existing();
    const result = await update(job, { name: null, headers: null, timeoutMs: null, status: null });
    const issues = !result.ok && result.errors[0]?.kind === 'ValidationError' ? result.errors[0].issues : [];
    expect(issues.map(({ path }) => path[0]).toSorted()).toEqual(['headers', 'name', 'status', 'timeoutMs']);
  });

  it('keeps secrets when a client writes back the masked values', async () => {
    const job = await existing();
    const masked = {
      api: 'https://user:***@example.test/report?token=***',
      headers: { authorization: '***', Accept: 'application/json' },
    };
    const changed = valueOf(await update(job, masked));
    expect(changed.api).toBe(job.api);
    expect(changed.headers).toEqual({ authorization: 'Bearer s3cret', Accept: 'application/json' });
  });

  it('keeps secrets of the body when other parts of it change', async () => {
    const job = await existing();
    await update(job, { method: 'POST', body: { login: { user: 'ada', password: 's3cret' }, page: 1 } });
    const changed = valueOf(
      await update(job, { body: { login: { user: 'bob', password: '***' }, page: 2 } }),
    );
    expect(changed.body).toEqual({ login: { user: 'bob', password: 's3cret' }, page: 2 });
  });

  it('refuses a mask without a matching secret of the job', async () => {
    const job = await existing();
    const result = await update(job, {
      api: 'https://user:***@other.test/',
      headers: { 'X-Api-Key': '***' },
      method: 'POST',
      body: { token: '***' },
    });
    const issues = !result.ok && result.errors[0]?.kind === 'ValidationError' ? result.errors[0].issues : [];
    expect(issues.map(({ path }) => path)).toEqual([['api'], ['headers', 'X-Api-Key'], ['body']]);
  });

  it('checks the address of a new URL, and not that of an old one', async () => {
    const job = await existing();
    const api = `http://${BLOCKED_ADDRESS}/`;
    const refused = await update(job, { api, timezone: 'nowhere' });
    expect(refused).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError' }, { kind: 'TargetBlockedError' }],
    });
    await harness.pool.query('UPDATE jobs SET api = $2 WHERE id = $1', [job.id, api]);
    expect(await update(job, { name: 'Still blocked' })).toMatchObject({ ok: true });
  });

  it.each([
    ['of HEAD', { method: 'HEAD', body: { a: 1 } }, { method: 'HEAD' as const, body: { a: 1 } }],
    ['with a number that may be rounded', { method: 'POST', body: 2 ** 53 }, { body: 2 ** 53 }],
  ])('checks a new body %s, and not an old one', async (_what, { method, body }, again) => {
    const { id } = await existing();
    await harness.pool.query('UPDATE jobs SET method = $2::http_method, body = $3 WHERE id = $1', [
      id,
      method,
      JSON.stringify(body),
    ]);
    const job = { id } as StoredJob;
    expect(valueOf(await update(job, { name: 'Renamed' }))).toMatchObject({ name: 'Renamed', body });
    expect(await update(job, again)).toMatchObject({
      ok: typeof body === 'number',
    });
    expect(await update(job, { ...again, body: [body] })).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', issues: [{ path: ['body'] }] }],
    });
  });

  it('computes the next run again from now when the schedule changes', async () => {
    const job = await existing();
    harness.clock.set('2025-03-01T12:00:10.000Z');
    const changed = valueOf(await update(job, { schedule: '*/15 * * * * *' }));
    expect(changed.nextRunAt).toEqual(new Date('2025-03-01T12:00:15.000Z'));
  });

  it('keeps a due slot that both the old and the new definition have', async () => {
    const job = await existing();
    harness.clock.set('2025-03-01T12:01:00.500Z');
    const changed = valueOf(await update(job, { endAt: new Date('2026-01-01T00:00:00.000Z') }));
    expect(changed.nextRunAt).toEqual(new Date('2025-03-01T12:01:00.000Z'));
  });

  it('replaces a schedule by a one-off', async () => {
    const job = await existing();
    const runAt = new Date('2025-03-02T00:00:00.000Z');
    const both = await update(job, { runAt });
    expect(both).toMatchObject({ ok: false, errors: [{ kind: 'ValidationError', path: ['runAt'] }] });
    const changed = valueOf(await update(job, { runAt, schedule: null }));
    expect([changed.schedule, changed.nextRunAt]).toEqual([null, runAt]);
  });

  it('activates a completed job when it has runs again', async () => {
    const job = await existing();
    await harness.pool.query(`UPDATE jobs SET status = 'COMPLETED', next_run_at = NULL WHERE id = $1`, [
      job.id,
    ]);
    expect(await update(job, { name: 'Still complete' })).toMatchObject({
      ok: true,
      value: { status: 'COMPLETED' },
    });
    const changed = valueOf(await update(job, { schedule: '0 0 * * * *' }));
    expect([changed.status, changed.nextRunAt]).toEqual(['ACTIVE', new Date('2025-03-01T13:00:00.000Z')]);
  });

  it('pauses and resumes by status', async () => {
    const job = await existing();
    const paused = valueOf(await update(job, { status: 'PAUSED' }));
    expect([paused.status, paused.nextRunAt, paused.pausedBy]).toEqual(['PAUSED', null, 'ada']);
    const resumed = valueOf(await update(job, { status: 'ACTIVE' }));
    expect([resumed.status, resumed.nextRunAt, resumed.pausedAt]).toEqual(['ACTIVE', job.nextRunAt, null]);
    expect((await harness.events()).map(({ kind }) => kind)).toEqual([
      'JOB_CREATED',
      'JOB_PAUSED',
      'JOB_RESUMED',
    ]);
    expect(await update(job, { status: 'DELETED' })).toMatchObject({
      ok: false,
      errors: [{ path: ['status'] }],
    });
  });

  it('refuses an update of an outdated version', async () => {
    const job = await existing();
    valueOf(await update(job, { name: 'Second' }));
    const stale = await update(job, { name: 'Third', expectedVersion: 1 });
    expect(stale).toMatchObject({ ok: false, errors: [{ kind: 'VersionConflictError', currentVersion: 2 }] });
    expect(await update(job, { name: 'Third', expectedVersion: 2 })).toMatchObject({
      ok: true,
      value: { version: 3 },
    });
  });

  it('accepts exactly one of many simultaneous updates of one version', async () => {
    const job = await existing();
    const results = await Promise.all(
      Array.from({ length: 8 }, (_, index) => update(job, { name: `Name ${index}`, expectedVersion: 1 })),
    );
    expect(results.filter(({ ok }) => ok)).toHaveLength(1);
    expect((await harness.auditEntries()).filter(({ action }) => action === 'UPDATED')).toHaveLength(1);
  });

  it('finds no job under an id that is malformed, unknown, or of another kind', async () => {
    const uuid = newUuidV7(new Date(START));
    for (const id of [
      '',
      'job_',
      'nonsense',
      encodePublicId('Job', uuid),
      encodePublicId('Execution', uuid),
      'x'.repeat(1e6),
    ]) {
      const result = await updateJob(harness.deps, CALLER, { id, name: 'New' });
      expect(result).toMatchObject({ ok: false, errors: [{ kind: 'NotFoundError', path: ['id'] }] });
    }
  });
});
