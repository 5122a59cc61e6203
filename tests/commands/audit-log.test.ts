import { randomUUID } from 'node:crypto';
import { type GraphQLFormattedError, locatedError } from 'graphql';
import { beforeAll, describe, expect, it } from 'vitest';
import { createCommands, type Commands } from '../../src/commands/commands.ts';
import type { ExecutionStatus } from '../../src/domain/execution/execution.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import type { EventKind } from '../../src/generated/prisma/enums.ts';
import { schema } from '../../src/graphql/schema.ts';
import { createErrorMask } from '../../src/server/http/error-mask.ts';
import { refuseRowsOf } from '../support/refused-rows.ts';
import { insertExecution, insertJob, insertRow, type Row } from '../support/rows.ts';
import { digestsOf, tablesOf } from '../support/table-digests.ts';
import { insertJobTags } from '../support/tags.ts';
import { CALLER, useCommandHarness, START } from './harness.ts';

const harness = useCommandHarness();
let commands: Commands;

beforeAll(() => {
  commands = createCommands(harness.deps);
});

/**
 * The state before each command: a job with secrets and a tag, an unrelated job, and a job that depends on the first.
 */
interface Setting {
  jobId: string;
  /** The execution that the command created, as the API spells it. */
  executionId: string;
  /** A tag that no job has, as the API spells it. */
  tagId: string;
  otherId: string;
  upstreamId: string;
  /** As the API spells it. */
  alertId: string;
}

/**
 * A command that changes something, its audit entry, and its events. There are no events where docs/decisions/0006 says
 * so. `before` and `after` are the complete entry.
 */
interface Audited {
  /** More of the state before the command. */
  given?: { job?: Row; execution?: ExecutionStatus };
  /** Returns the command's result. */
  run: (setting: Setting) => Promise<{ ok: boolean }>;
  events: EventKind[];
  action: string;
  before: Record<string, unknown> | null;
  /** `anyId` stands for ids that only the command knows. */
  after: Record<string, unknown> | null;
}

const SECRET = 's3cret';
const anyId = (prefix: string): unknown => expect.stringMatching(new RegExp(`^${prefix}_[0-9a-z]{26}$`));
const jobRef = (id: string) => encodePublicId('Job', id);
const slot = new Date('2025-03-01T12:03:00.000Z');

/** A selection of one job. */
const only = (jobId: string) => ({
  find: (behind: string | null) => Promise.resolve(behind === null ? [jobId] : []),
  selects: () => true,
});
const PAUSED: Row = { status: 'PAUSED', paused_at: START, next_run_at: null };

/** A test of an alert changes nothing. For keys see `api-keys.test.ts`: they concern no job. */
type OfJobs = Exclude<keyof Commands, 'testJobAlert' | 'createApiKey' | 'rotateApiKey' | 'revokeApiKey'>;

/** Complete by its type: a new command must state here how it is audited. */
const AUDITED: Record<OfJobs, Audited> = {
  createJob: {
    run: () =>
      commands.createJob(CALLER, {
        name: 'New',
        api: `https://ada:${SECRET}@a.test/?token=${SECRET}`,
        headers: { Authorization: SECRET },
        method: 'POST',
        body: { to: 'ada', login: { password: SECRET } },
        status: 'PAUSED',
      }),
    events: ['JOB_CREATED'],
    action: 'CREATED',
    before: null,
    after: expect.objectContaining({
      name: 'New',
      api: 'https://ada:***@a.test/?token=***',
      headers: { Authorization: '***' },
      body: { to: 'ada', login: { password: '***' } },
      status: 'PAUSED',
      pausedBy: 'ada',
    }) as Record<string, unknown>,
  },
  updateJob: {
    run: ({ jobId }) =>
      commands.updateJob(CALLER, {
        id: jobRef(jobId),
        api: `https://a.test/?token=${SECRET}`,
        headers: { 'X-Api-Key': `${SECRET}2` },
        description: null,
      }),
    events: ['JOB_UPDATED'],
    action: 'UPDATED',
    before: {
      api: 'https://a.test/?token=***&v=1',
      headers: { 'X-Api-Key': '***' },
      description: 'Of a test',
    },
    after: { api: 'https://a.test/?token=***', headers: { 'X-Api-Key': '***' }, description: null },
  },
  pauseJob: {
    run: ({ jobId }) => commands.pauseJob(CALLER, { id: jobRef(jobId), reason: 'Maintenance' }),
    events: ['JOB_PAUSED'],
    action: 'PAUSED',
    before: { status: 'ACTIVE', pausedAt: null, pausedBy: null, pauseReason: null },
    after: { status: 'PAUSED', pausedAt: START, pausedBy: 'ada', pauseReason: 'Maintenance' },
  },
  resumeJob: {
    given: { job: PAUSED },
    run: ({ jobId }) => commands.resumeJob(CALLER, { id: jobRef(jobId) }),
    events: ['JOB_RESUMED'],
    action: 'RESUMED',
    before: { status: 'PAUSED', pausedAt: START },
    after: { status: 'ACTIVE', pausedAt: null },
  },
  deleteJob: {
    run: ({ jobId }) => commands.deleteJob(CALLER, { id: jobRef(jobId) }),
    events: ['JOB_DELETED'],
    action: 'DELETED',
    before: { status: 'ACTIVE', deletedAt: null },
    after: { status: 'DELETED', deletedAt: START },
  },
  triggerJob: {
    run: ({ jobId }) =>
      commands.triggerJob(CALLER, { id: jobRef(jobId), body: { pin: SECRET }, idempotencyKey: 'order-7' }),
    events: ['EXECUTION_PLANNED'],
    action: 'TRIGGERED',
    before: null,
    after: { executionId: anyId('exec'), bodyReplaced: true, idempotencyKey: 'order-7' },
  },
  upsertJob: {
    given: { job: { key: 'k', name: 'Old' } },
    run: () =>
      commands.upsertJob(CALLER, {
        key: 'k',
        name: 'New',
        api: 'https://a.test/?token=***&v=1',
        headers: { 'X-Api-Key': `${SECRET}2` },
        description: 'Of a test',
        schedule: '0 * * * * *',
      }),
    events: ['JOB_UPDATED'],
    action: 'UPDATED',
    before: { name: 'Old', headers: { 'X-Api-Key': '***' } },
    after: { name: 'New', headers: { 'X-Api-Key': '***' } },
  },
  upsertJobs: {
    given: { job: { key: 'k' } },
    run: () =>
      commands.upsertJobs(CALLER, {
        jobs: [{ key: 'k', name: 'Job of a test', api: 'https://a.test/', description: 'Of a test' }],
      }),
    events: ['JOB_UPDATED'],
    action: 'UPDATED',
    before: {
      api: 'https://a.test/?token=***&v=1',
      headers: { 'X-Api-Key': '***' },
      schedule: '0 * * * * *',
    },
    after: { api: 'https://a.test/', headers: {}, schedule: null },
  },
  pauseJobs: {
    run: ({ jobId }) => commands.pauseJobs(CALLER, { jobs: only(jobId) }),
    events: ['JOB_PAUSED'],
    action: 'PAUSED',
    before: { status: 'ACTIVE', pausedAt: null, pausedBy: null },
    after: { status: 'PAUSED', pausedAt: START, pausedBy: 'ada' },
  },
  resumeJobs: {
    given: { job: PAUSED },
    run: ({ jobId }) => commands.resumeJobs(CALLER, { jobs: only(jobId) }),
    events: ['JOB_RESUMED'],
    action: 'RESUMED',
    before: { status: 'PAUSED', pausedAt: START },
    after: { status: 'ACTIVE', pausedAt: null },
  },
  triggerJobs: {
    run: ({ jobId }) => commands.triggerJobs(CALLER, { jobs: only(jobId) }),
    events: ['EXECUTION_PLANNED'],
    action: 'TRIGGERED',
    before: null,
    after: { executionId: anyId('exec') },
  },
  deleteJobs: {
    run: ({ jobId }) => commands.deleteJobs(CALLER, { jobs: only(jobId) }),
    events: ['JOB_DELETED'],
    action: 'DELETED',
    before: { status: 'ACTIVE', deletedAt: null },
    after: { status: 'DELETED', deletedAt: START },
  },
  createTag: {
    run: () => commands.createTag(CALLER, { name: 'New', color: '#000000' }),
    events: [],
    action: 'TAG_CREATED',
    before: null,
    after: { tagId: anyId('tag'), name: 'new', color: '#000000' },
  },
  updateTag: {
    run: ({ tagId }) => commands.updateTag(CALLER, { id: tagId, name: 'renamed' }),
    events: ['TAG_RENAMED'],
    action: 'TAG_UPDATED',
    before: { tagId: anyId('tag'), name: 'unused' },
    after: { tagId: anyId('tag'), name: 'renamed' },
  },
  deleteTag: {
    run: ({ tagId }) => commands.deleteTag(CALLER, { id: tagId }),
    events: ['TAG_DELETED'],
    action: 'TAG_DELETED',
    before: { tagId: anyId('tag'), name: 'unused', color: null },
    after: null,
  },
  addJobTags: {
    run: ({ jobId }) => commands.addJobTags(CALLER, { jobId: jobRef(jobId), tags: ['b'] }),
    events: ['JOB_UPDATED'],
    action: 'TAGGED',
    before: { tags: ['a'] },
    after: { tags: ['a', 'b'] },
  },
  removeJobTags: {
    run: ({ jobId }) => commands.removeJobTags(CALLER, { jobId: jobRef(jobId), tags: ['a'] }),
    events: ['JOB_UPDATED'],
    action: 'UNTAGGED',
    before: { tags: ['a'] },
    after: { tags: [] },
  },
  addJobDependency: {
    run: ({ jobId, otherId }) =>
      commands.addJobDependency(CALLER, { jobId: jobRef(jobId), dependsOnId: jobRef(otherId) }),
    events: ['JOB_UPDATED'],
    action: 'DEPENDENCY_ADDED',
    before: null,
    after: { dependsOnId: anyId('job'), condition: 'ON_SUCCESS' },
  },
  removeJobDependency: {
    run: ({ jobId, upstreamId }) =>
      commands.removeJobDependency(CALLER, { jobId: jobRef(jobId), dependsOnId: jobRef(upstreamId) }),
    events: ['JOB_UPDATED'],
    action: 'DEPENDENCY_REMOVED',
    before: { dependsOnId: anyId('job'), condition: 'ON_FAILURE' },
    after: null,
  },
  skipRun: {
    run: ({ jobId }) =>
      commands.skipRun(CALLER, { jobId: jobRef(jobId), scheduledAt: slot, reason: 'Holiday' }),
    events: ['EXECUTION_SKIPPED'],
    action: 'UPDATED',
    before: null,
    after: { skippedRunAt: slot.toISOString(), executionId: anyId('exec'), reason: 'Holiday' },
  },
  cancelExecution: {
    given: { execution: 'PENDING' },
    run: ({ executionId }) => commands.cancelExecution(CALLER, { id: executionId, reason: 'Too late' }),
    events: ['EXECUTION_CANCELLED'],
    action: 'CANCELLED',
    before: { executionId: anyId('exec'), status: 'PENDING' },
    after: { executionId: anyId('exec'), reason: 'Too late' },
  },
  retryExecution: {
    given: { execution: 'FAILED' },
    run: ({ executionId }) => commands.retryExecution(CALLER, { id: executionId }),
    events: ['EXECUTION_PLANNED'],
    action: 'REDRIVEN',
    before: { executionId: anyId('exec'), status: 'FAILED' },
    after: { executionId: anyId('exec') },
  },
  redriveDeadLetters: {
    given: { execution: 'FAILED' },
    run: () => commands.redriveDeadLetters(CALLER, { where: {} }),
    events: ['EXECUTION_PLANNED'],
    action: 'REDRIVEN',
    before: null,
    after: { count: 1, deadLetterIds: [anyId('dead')], executionIds: [anyId('exec')] },
  },
  discardDeadLetters: {
    given: { execution: 'FAILED' },
    run: () => commands.discardDeadLetters(CALLER, { where: {} }),
    events: [],
    action: 'DISCARDED',
    before: null,
    after: { count: 1, deadLetterIds: [anyId('dead')] },
  },
  createJobAlert: {
    run: ({ jobId }) =>
      commands.createJobAlert(CALLER, {
        jobId: jobRef(jobId),
        channel: 'SLACK',
        target: `https://hooks.slack.test/services/${SECRET}`,
        events: ['RECOVERED', 'FAILED'],
      }),
    events: ['JOB_UPDATED'],
    action: 'ALERT_CREATED',
    before: null,
    after: {
      alertId: anyId('alert'),
      channel: 'SLACK',
      target: 'https://hooks.slack.test/***',
      events: ['FAILED', 'RECOVERED'],
      failureThreshold: 1,
      latenessThresholdMs: 60_000,
      enabled: true,
    },
  },
  updateJobAlert: {
    run: ({ alertId }) =>
      commands.updateJobAlert(CALLER, {
        id: alertId,
        target: `https://a.test/?token=${SECRET}2`,
        failureThreshold: 3,
      }),
    events: ['JOB_UPDATED'],
    action: 'ALERT_UPDATED',
    before: { alertId: anyId('alert'), target: 'https://b.test/?token=***', failureThreshold: 1 },
    after: { alertId: anyId('alert'), target: 'https://a.test/?token=***', failureThreshold: 3 },
  },
  deleteJobAlert: {
    run: ({ alertId }) => commands.deleteJobAlert(CALLER, { id: alertId }),
    events: ['JOB_UPDATED'],
    action: 'ALERT_DELETED',
    before: {
      alertId: anyId('alert'),
      channel: 'WEBHOOK',
      target: 'https://b.test/?token=***',
      events: ['LATE'],
      failureThreshold: 1,
      latenessThresholdMs: 60_000,
      enabled: true,
    },
    after: null,
  },
};

/** Cases in which a command is audited in another way, because of its state or its input. */
const OTHERWISE: Record<string, Audited> = {
  'upsertJob of a new key': {
    run: () => commands.upsertJob(CALLER, { key: 'k', name: 'New', api: 'https://a.test/' }),
    events: ['JOB_CREATED'],
    action: 'CREATED',
    before: null,
    after: expect.objectContaining({ key: 'k', name: 'New' }) as Record<string, unknown>,
  },
  'updateTag of a color': {
    run: ({ tagId }) => commands.updateTag(CALLER, { id: tagId, color: '#000000' }),
    events: [],
    action: 'TAG_UPDATED',
    before: { tagId: anyId('tag'), color: null },
    after: { tagId: anyId('tag'), color: '#000000' },
  },
  'cancelExecution of one that is RUNNING': {
    given: { execution: 'RUNNING' },
    run: ({ executionId }) => commands.cancelExecution(CALLER, { id: executionId }),
    events: [],
    action: 'CANCELLED',
    before: { executionId: anyId('exec'), status: 'RUNNING' },
    after: { executionId: anyId('exec'), reason: null },
  },
};

const ALL = [...Object.entries(AUDITED), ...Object.entries(OTHERWISE)];

async function set({ job, execution }: NonNullable<Audited['given']> = {}): Promise<Setting> {
  const jobId = await insertJob(harness.pool, {
    api: `https://a.test/?token=${SECRET}&v=1`,
    headers: { 'X-Api-Key': SECRET },
    description: 'Of a test',
    schedule: '0 * * * * *',
    next_run_at: '2025-03-01T12:01:00.000Z',
    ...job,
  });
  const executionId = execution
    ? encodePublicId('Execution', await insertExecution(harness.pool, jobId, execution))
    : '';
  const [otherId, upstreamId] = [await insertJob(harness.pool), await insertJob(harness.pool)];
  await harness.pool.query(
    `INSERT INTO job_dependencies (id, job_id, depends_on_id, condition, created_at)
     VALUES (gen_random_uuid(), $1, $2, 'ON_FAILURE', $3)`,
    [jobId, upstreamId, START],
  );
  const unused = await insertRow(harness.pool, 'job_tags', {
    id: randomUUID(),
    name: 'unused',
    created_at: START,
  });
  await insertJobTags(harness.pool, jobId, ['a']);
  const tagId = encodePublicId('Tag', unused['id'] as string);
  const alert = await insertRow(harness.pool, 'job_alerts', {
    id: randomUUID(),
    job_id: jobId,
    channel: 'WEBHOOK',
    target: `https://b.test/?token=${SECRET}`,
    events: '{LATE}',
    created_at: START,
    updated_at: START,
  });
  const alertId = encodePublicId('JobAlert', alert['id'] as string);
  return { jobId, executionId, tagId, otherId, upstreamId, alertId };
}

describe('the audit log', () => {
  it.each(ALL)(
    'records %s once: the actor, the origin and the changes, without secrets',
    async (_command, { given, run, action, before, after }) => {
      const setting = await set(given);
      expect(await run(setting)).toMatchObject({ ok: true });
      const entries = await harness.auditEntries();
      expect(entries).toMatchObject([
        { action, actor: CALLER.actor, request_id: CALLER.requestId, address: CALLER.address },
      ]);
      expect(entries.map((entry) => [entry.before, entry.after])).toEqual([[before, after]]);
      const isOfTag = action.startsWith('TAG_');
      const jobId = action === 'CREATED' ? (expect.any(String) as string) : isOfTag ? null : setting.jobId;
      expect(entries.map((entry) => entry.job_id)).toEqual([jobId]);
      expect(JSON.stringify(entries)).not.toContain(SECRET);
    },
  );
});

describe('the event log', () => {
  it.each(ALL)('records %s with the expected events', async (_command, { given, run, events }) => {
    await run(await set(given));
    expect((await harness.events()).map(({ kind }) => kind)).toEqual(events);
  });
});

/** What a client receives for an error in a resolver. */
function told(error: unknown): GraphQLFormattedError {
  const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
  const mask = createErrorMask({ log, newId: () => 'error-id', isUnavailable: () => false, schema });
  return mask(locatedError(error, undefined, ['it'])).toJSON();
}
const ignore = (): void => undefined;

describe.each([
  { table: 'job_audit_log', writers: ALL },
  { table: 'event_log', writers: ALL.filter(([, { events }]) => events.length > 0) },
] as const)('a change that cannot be written into $table', ({ table, writers }) => {
  it.each(writers)(
    'is not made by %s, and the error only reports that it failed',
    async (_command, { given, run }) => {
      const setting = await set(given);
      const tables = await tablesOf(harness.pool);
      const before = await digestsOf(harness.pool, tables);
      await refuseRowsOf(harness.pool, table);
      const error: unknown = await run(setting).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ message: 'Refused by a test.' });
      expect(told(error)).toEqual({
        message: 'Internal error',
        path: ['it'],
        extensions: { code: 'INTERNAL_ERROR', errorId: 'error-id' },
      });
      expect(await digestsOf(harness.pool, tables)).toEqual(before);
    },
  );
});
