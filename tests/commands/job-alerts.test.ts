import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createJob } from '../../src/commands/jobs/create-job.ts';
import { createJobAlert, type CreateJobAlertInput } from '../../src/commands/alerts/create-job-alert.ts';
import { deleteJob } from '../../src/commands/jobs/delete-job.ts';
import { deleteJobAlert } from '../../src/commands/alerts/delete-job-alert.ts';
import { testJobAlert } from '../../src/commands/alerts/test-job-alert.ts';
import { updateJobAlert, type UpdateJobAlertInput } from '../../src/commands/alerts/update-job-alert.ts';
import { ALERT_EVENTS, ALERT_LIMITS } from '../../src/domain/alert/alert.ts';
import { ALERT_CHANNELS } from '../../src/domain/alert/channels.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { count, readRow } from '../support/rows.ts';
import { BLOCKED_ADDRESS, CALLER, useCommandHarness, START, valueOf } from './harness.ts';

const harness = useCommandHarness();

const UNKNOWN = encodePublicId('JobAlert', '01890000-0000-7000-8000-000000000000');

/** Public id of a new job. */
async function newJob(): Promise<string> {
  const job = valueOf(await createJob(harness.deps, CALLER, { name: 'Report', api: 'https://a.test/' }));
  return encodePublicId('Job', job.id);
}

async function create(jobId: string, input: Partial<CreateJobAlertInput> = {}) {
  const defaults = { channel: 'WEBHOOK', target: 'https://hooks.test/alerts', events: ['FAILED'] } as const;
  return createJobAlert(harness.deps, CALLER, { ...defaults, jobId, ...input });
}

/** A new alert of a new job. */
async function existing(input: Partial<CreateJobAlertInput> = {}): Promise<{ id: string; uuid: string }> {
  const alert = valueOf(await create(await newJob(), input));
  return { id: encodePublicId('JobAlert', alert.id), uuid: alert.id };
}

async function written(): Promise<number[]> {
  return Promise.all(['job_alerts', 'job_audit_log', 'event_log'].map((table) => count(harness.pool, table)));
}

describe('createJobAlert', () => {
  it('stores the alert with its defaults, increments the job’s version, and publishes an event', async () => {
    const jobId = await newJob();
    const wakes = harness.wakes();
    const alert = valueOf(await create(jobId, { events: ['SKIPPED', 'FAILED', 'SKIPPED'] }));
    expect(alert).toMatchObject({
      events: ['FAILED', 'SKIPPED'],
      failureThreshold: 1,
      latenessThresholdMs: 60_000,
      enabled: true,
      createdAt: new Date(START),
    });
    expect(await readRow(harness.pool, 'job_alerts', alert.id)).toMatchObject({
      channel: 'WEBHOOK',
      target: 'https://hooks.test/alerts',
      events: '{FAILED,SKIPPED}',
      failures_in_row: 0,
      is_failing: false,
    });
    expect((await harness.events()).at(-1)).toMatchObject({ kind: 'JOB_UPDATED', job_id: alert.jobId });
    expect(await readRow(harness.pool, 'jobs', alert.jobId)).toMatchObject({ version: 2 });
    expect(harness.wakes()).toBeGreaterThan(wakes);
  });

  it.each<[string, Partial<CreateJobAlertInput>, string, RegExp]>([
    ['no event', { events: [] }, 'events', /At least one/],
    ['a threshold of 0', { failureThreshold: 0 }, 'failureThreshold', /1 to 1000/],
    ['a threshold of 1001', { failureThreshold: 1_001 }, 'failureThreshold', /1 to 1000/],
    ['a lateness of 999 ms', { latenessThresholdMs: 999 }, 'latenessThresholdMs', /1000 to 604800000/],
    ['no URL', { target: 'ops@test.example' }, 'target', /http/],
    ['a URL of 3,000 characters', { target: `https://a.test/${'a'.repeat(3_000)}` }, 'target', /2048/],
    ['no address', { channel: 'EMAIL', target: 'https://a.test/' }, 'target', /e-mail/],
    ['two addresses', { channel: 'EMAIL', target: 'a@a.test,b@a.test' }, 'target', /one e-mail/],
  ])('refuses %s and names the field with its limit', async (_what, input, field, message) => {
    const jobId = await newJob();
    const before = await written();
    expect(await create(jobId, input)).toMatchObject({
      ok: false,
      errors: [
        {
          kind: 'ValidationError',
          path: [field],
          issues: [{ path: [field], message: expect.stringMatching(message) as string }],
        },
      ],
    });
    expect(await written()).toEqual(before);
  });

  it('refuses mail when no mail server is configured, and names the missing setting', async () => {
    const deps = { ...harness.deps, alerts: { ...harness.deps.alerts, isMailConfigured: false } };
    const input = {
      jobId: await newJob(),
      channel: 'EMAIL',
      target: 'ops@a.test',
      events: ['FAILED'],
    } as const;
    expect(await createJobAlert(deps, CALLER, input)).toMatchObject({
      ok: false,
      errors: [{ path: ['channel'], message: expect.stringContaining('SMTP_URL is not set') as string }],
    });
  });

  it('refuses an address that the operator has blocked', async () => {
    for (const channel of ['WEBHOOK', 'SLACK'] as const) {
      expect(await create(await newJob(), { channel, target: `http://${BLOCKED_ADDRESS}/` })).toMatchObject({
        ok: false,
        errors: [{ kind: 'TargetBlockedError', path: ['target'], address: BLOCKED_ADDRESS }],
      });
    }
  });

  it('refuses more than ten for one job, also at the same time', async () => {
    const jobId = await newJob();
    const results = await Promise.all(Array.from({ length: 14 }, () => create(jobId)));
    expect(results.filter(({ ok }) => ok)).toHaveLength(ALERT_LIMITS.perJob);
    expect(results.find(({ ok }) => !ok)).toMatchObject({
      errors: [
        { kind: 'ValidationError', path: ['jobId'], message: expect.stringContaining('10') as string },
      ],
    });
    expect(await count(harness.pool, 'job_alerts')).toBe(ALERT_LIMITS.perJob);
  });

  it('refuses an unknown job', async () => {
    const deleted = await newJob();
    valueOf(await deleteJob(harness.deps, CALLER, { id: deleted }));
    for (const jobId of [deleted, UNKNOWN, 'nonsense']) {
      expect(await create(jobId)).toMatchObject({
        ok: false,
        errors: [{ kind: 'NotFoundError', path: ['jobId'] }],
      });
    }
  });

  it('returns an alert or typed errors for any input, and writes nothing partially', async () => {
    const jobId = await newJob();
    const input = fc.record({
      channel: fc.constantFrom(...ALERT_CHANNELS),
      target: fc.oneof(fc.string({ unit: 'binary' }), fc.webUrl(), fc.emailAddress()),
      events: fc.array(fc.constantFrom(...ALERT_EVENTS), { maxLength: 8 }),
      failureThreshold: fc.option(fc.integer()),
      latenessThresholdMs: fc.option(fc.integer()),
      enabled: fc.option(fc.boolean()),
    });
    await fc.assert(
      fc.asyncProperty(input, async (given) => {
        const before = await written();
        const result = await createJobAlert(harness.deps, CALLER, { ...given, jobId });
        const after = await written();
        expect(after.map((rows, index) => rows - (before[index] ?? 0))).toEqual(
          result.ok ? [1, 1, 1] : [0, 0, 0],
        );
        await harness.pool.query('DELETE FROM job_alerts');
      }),
      { numRuns: 60 },
    );
  });
});

describe('updateJobAlert', () => {
  const update = (id: string, input: Omit<UpdateJobAlertInput, 'id'>) =>
    updateJobAlert(harness.deps, CALLER, { id, ...input });

  it('changes the given fields and keeps the rest', async () => {
    const { id, uuid } = await existing();
    harness.clock.set('2025-03-01T13:00:00.000Z');
    const alert = valueOf(await update(id, { events: ['LATE'], latenessThresholdMs: 5_000 }));
    expect(alert).toMatchObject({ events: ['LATE'], latenessThresholdMs: 5_000, failureThreshold: 1 });
    expect(await readRow(harness.pool, 'job_alerts', uuid)).toMatchObject({
      events: '{LATE}',
      target: 'https://hooks.test/alerts',
      updated_at: new Date('2025-03-01T13:00:00.000Z'),
    });
  });

  it('that changes nothing writes nothing, also when a client sends back the masked values', async () => {
    const target = 'https://hooks.test/services/a1b2c3d4e5?token=abc';
    const { id, uuid } = await existing({ target, events: ['FAILED', 'LATE'] });
    const before = await written();
    const shown = 'https://hooks.test/services/***?token=***';
    valueOf(await update(id, { target: shown, events: ['LATE', 'FAILED', 'LATE'], enabled: true }));
    expect(await written()).toEqual(before);
    expect(await readRow(harness.pool, 'job_alerts', uuid)).toMatchObject({ target });
  });

  it('refuses null in every field, and names each field', async () => {
    const { id } = await existing();
    const input = {
      target: null,
      events: null,
      failureThreshold: null,
      latenessThresholdMs: null,
      enabled: null,
    };
    expect(await update(id, input)).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', issues: Object.keys(input).map((field) => ({ path: [field] })) }],
    });
  });

  it('refuses the same values as for a new alert', async () => {
    const { id } = await existing({ channel: 'EMAIL', target: 'ops@a.test' });
    for (const [input, field] of [
      [{ target: 'https://a.test/' }, 'target'],
      [{ failureThreshold: 0 }, 'failureThreshold'],
      [{ events: [] }, 'events'],
    ] as const) {
      expect(await update(id, input)).toMatchObject({
        ok: false,
        errors: [{ kind: 'ValidationError', path: [field] }],
      });
    }
  });

  it('keeps an existing target that a new alert could not have', async () => {
    const { id } = await existing({ channel: 'EMAIL', target: 'ops@a.test' });
    const deps = { ...harness.deps, alerts: { ...harness.deps.alerts, isMailConfigured: false } };
    valueOf(await updateJobAlert(deps, CALLER, { id, failureThreshold: 2 }));
    expect(await updateJobAlert(deps, CALLER, { id, target: 'other@a.test' })).toMatchObject({ ok: false });
  });
});

describe('an alert that is unknown, or whose job was deleted', () => {
  it('cannot be changed, tested or deleted', async () => {
    const { id } = await existing();
    const { rows } = await harness.pool.query<{ id: string }>('SELECT id FROM jobs');
    valueOf(await deleteJob(harness.deps, CALLER, { id: encodePublicId('Job', rows[0]?.id ?? '') }));
    for (const each of [id, UNKNOWN, 'nonsense', '']) {
      for (const result of [
        await updateJobAlert(harness.deps, CALLER, { id: each, enabled: false }),
        await deleteJobAlert(harness.deps, CALLER, { id: each }),
        await testJobAlert(harness.deps, { id: each }),
      ]) {
        expect(result).toMatchObject({ ok: false, errors: [{ kind: 'NotFoundError', path: ['id'] }] });
      }
    }
  });
});

describe('deleteJobAlert', () => {
  it('deletes the alert with its deliveries', async () => {
    const { id, uuid } = await existing();
    valueOf(await testJobAlert(harness.deps, { id }));
    expect(await count(harness.pool, 'job_alert_deliveries')).toBe(1);
    expect(valueOf(await deleteJobAlert(harness.deps, CALLER, { id }))).toEqual({ alertId: uuid });
    expect(await count(harness.pool, 'job_alerts')).toBe(0);
    expect(await count(harness.pool, 'job_alert_deliveries')).toBe(0);
  });
});
