import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import { Kind, print, type DocumentNode } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as documents from '../../client/src/generated/graphql.ts';
import { feedFields } from '../../client/src/generated/schema-facts.ts';
import { planResume } from '../../client/src/resume-plan.ts';
import { decodePublicId, encodePublicId } from '../../src/domain/values/public-id.ts';
import { type ApiHarness, createApiHarness } from '../graphql/api-harness.ts';
import { insertExecution } from '../support/rows.ts';

let api: ApiHarness;
/** Operations that no test has run yet. */
const unused = new Map<unknown, string>(
  Object.entries(documents)
    .filter(([, { definitions }]) => definitions[0]?.kind === Kind.OPERATION_DEFINITION)
    .map(([name, document]) => [document, name]),
);

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});

function run<Data, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  unused.delete(document);
  return api.query<Data>(print(document), variables);
}

function watch<Data, Variables extends Record<string, unknown>>(
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<AsyncGenerator<Data>> {
  unused.delete(document);
  return api.subscribe<Data>(print(document), variables);
}

async function createJob(name: string): Promise<string> {
  const input = { name, api: 'https://example.test/report', schedule: '@daily' };
  const { createJob: payload } = await run(documents.CreateJobDocument, { input });
  expect(payload.errors).toEqual([]);
  return payload.job?.id ?? '';
}

/** Read from the database: the executions of the dead letters. */
async function insertFailure(jobId: string): Promise<string> {
  const id = await insertExecution(api.pool, decodePublicId('Job', jobId) ?? '', 'FAILED');
  return encodePublicId('DeadLetter', id);
}

describe('the documents of the client package', () => {
  it('create, change and show a job', async () => {
    const id = await createJob('Report');
    const renamed = { id, name: 'New', expectedVersion: 1 };
    expect(await run(documents.UpdateJobDocument, { input: renamed })).toMatchObject({
      updateJob: { job: { name: 'New', version: 2 }, errors: [] },
    });
    expect(await run(documents.UpdateJobDocument, { input: renamed })).toMatchObject({
      updateJob: { errors: [{ __typename: 'VersionConflictError', currentVersion: 2 }] },
    });
    expect(await run(documents.EditJobDocument, { id })).toMatchObject({ job: { schedule: '@daily' } });
    expect(await run(documents.PreviewScheduleDocument, { schedule: '@hourly' })).toMatchObject({
      previewSchedule: { timezone: 'UTC' },
    });
    const { job } = await run(documents.ShowJobDocument, { id });
    const [scheduledAt = ''] = job?.upcomingRuns ?? [];
    expect(await run(documents.SkipRunDocument, { input: { jobId: id, scheduledAt } })).toMatchObject({
      skipRun: { execution: { status: 'SKIPPED', scheduledAt }, errors: [] },
    });
  });

  it('test a request, and store jobs by their keys', async () => {
    const input = { name: 'Stored', key: 'stored', api: 'http://127.0.0.1:9/', schedule: '@daily' };
    expect(await run(documents.TestRequestDocument, { input })).toMatchObject({
      testRequest: { test: { ok: false, failureReason: 'CONNECTION' }, errors: [] },
    });
    expect(await run(documents.UpsertJobDocument, { input })).toMatchObject({
      upsertJob: { job: { key: 'stored', version: 1 }, errors: [] },
    });
    const jobs = [
      { ...input, name: 'Stored anew' },
      { ...input, key: 'another' },
    ];
    expect(await run(documents.UpsertJobsDocument, { input: { jobs } })).toMatchObject({
      upsertJobs: { createdCount: 1, changedCount: 1, unchangedCount: 0, errors: [] },
    });
  });

  it('change many jobs at once', async () => {
    const ids = [await createJob('One of many'), await createJob('Another of many')];
    const variables = { input: { where: { id: ids } } };
    const both = { changedCount: 2, errors: [] };
    expect(await run(documents.PauseJobsDocument, variables)).toMatchObject({ pauseJobs: both });
    expect(await run(documents.ResumeJobsDocument, variables)).toMatchObject({ resumeJobs: both });
    expect(await run(documents.TriggerJobsDocument, variables)).toMatchObject({ triggerJobs: both });
    expect(await run(documents.DeleteJobsDocument, variables)).toMatchObject({ deleteJobs: both });
  });

  it('pause, resume, connect and delete a job', async () => {
    const [id, dependsOnId] = [await createJob('Second'), await createJob('First')];
    expect(await run(documents.PauseJobDocument, { input: { id, reason: 'Why' } })).toMatchObject({
      pauseJob: { job: { status: 'PAUSED', pauseReason: 'Why' } },
    });
    expect(await run(documents.ResumeJobDocument, { input: { id } })).toMatchObject({
      resumeJob: { job: { status: 'ACTIVE', pausedAt: null } },
    });
    const edge = { jobId: id, dependsOnId };
    expect(await run(documents.AddJobDependencyDocument, { input: edge })).toMatchObject({
      addJobDependency: { dependency: { dependsOn: { name: 'First' } }, errors: [] },
    });
    expect(await run(documents.ShowJobDocument, { id })).toMatchObject({
      job: { dependencies: [{ dependsOn: { id: dependsOnId } }] },
    });
    expect(await run(documents.RemoveJobDependencyDocument, { input: edge })).toMatchObject({
      removeJobDependency: { job: { dependencies: [] }, errors: [] },
    });
    expect(await run(documents.DeleteJobDocument, { input: { id } })).toMatchObject({
      deleteJob: { job: { status: 'DELETED' } },
    });
    expect(await run(documents.DeleteJobDocument, { input: { id } })).toMatchObject({
      deleteJob: { errors: [{ __typename: 'NotFoundError', id }] },
    });
  });

  it('follow a job, and show its audit log', async () => {
    const feed = await watch(documents.WatchJobsDocument, {});
    const id = await createJob('Followed');
    expect((await feed.next()).value).toMatchObject({
      jobEvents: { kind: 'CREATED', job: { id, name: 'Followed' } },
    });
    await feed.return(undefined);
    expect(await run(documents.ShowJobHistoryDocument, { id })).toMatchObject({
      job: { auditLog: { totalCount: 1, nodes: [{ action: 'CREATED' }] } },
    });
    expect(await run(documents.ListAuditLogDocument, { where: { jobId: [id] } })).toMatchObject({
      auditLog: { nodes: [{ action: 'CREATED', job: { id } }] },
    });
  });

  it('give jobs tags', async () => {
    const jobId = await createJob('Tagged');
    const created = await run(documents.CreateTagDocument, { input: { name: 'billing' } });
    const id = created.createTag.tag?.id ?? '';
    const input = { jobId, tags: ['billing', 'nightly'] };
    expect(await run(documents.AddJobTagsDocument, { input })).toMatchObject({
      addJobTags: { job: { tags: [{ name: 'billing' }, { name: 'nightly' }] }, errors: [] },
    });
    expect(await run(documents.UpdateTagDocument, { input: { id, color: '#1f6feb' } })).toMatchObject({
      updateTag: { tag: { color: '#1f6feb' } },
    });
    expect(await run(documents.RemoveJobTagsDocument, { input: { jobId, tags: ['nightly'] } })).toMatchObject(
      {
        removeJobTags: { job: { tags: [{ id }] }, errors: [] },
      },
    );
    expect(await run(documents.ListTagsDocument, {})).toMatchObject({
      tags: { nodes: [{ id, color: '#1f6feb' }, { name: 'nightly' }] },
    });
    expect(await run(documents.DeleteTagDocument, { input: { id } })).toMatchObject({
      deleteTag: { deletedId: id, errors: [] },
    });
  });

  it('create an alert and test it', async () => {
    const jobId = await createJob('With alerts');
    const input = {
      jobId,
      channel: 'WEBHOOK' as const,
      target: 'http://127.0.0.1:9/hook',
      events: ['FAILED' as const],
    };
    const created = await run(documents.CreateJobAlertDocument, { input });
    const id = created.createJobAlert.alert?.id ?? '';
    expect(created.createJobAlert.errors).toEqual([]);
    expect(await run(documents.UpdateJobAlertDocument, { input: { id, enabled: false } })).toMatchObject({
      updateJobAlert: { alert: { enabled: false } },
    });
    expect(await run(documents.TestJobAlertDocument, { input: { id } })).toMatchObject({
      testJobAlert: { delivery: { test: true }, errors: [] },
    });
    expect(await run(documents.ListAlertDeliveriesDocument, { id: jobId })).toMatchObject({
      job: { alerts: [{ id, deliveries: { nodes: [{ test: true }] } }] },
    });
    expect(await run(documents.DeleteJobAlertDocument, { input: { id } })).toMatchObject({
      deleteJobAlert: { deletedId: id },
    });
  });

  it('follow a run from its trigger to its cancellation', async () => {
    const id = await createJob('To be cancelled');
    const feed = await watch(documents.WatchExecutionsDocument, { where: { jobId: [id] } });
    const triggered = await run(documents.TriggerJobDocument, { input: { id, idempotencyKey: 'once' } });
    const executionId = triggered.triggerJob.execution?.id ?? '';
    expect((await feed.next()).value).toMatchObject({
      executionEvents: { kind: 'PLANNED', execution: { id: executionId } },
    });
    await feed.return(undefined);

    expect(await run(documents.ListExecutionsDocument, { where: { jobId: [id] } })).toMatchObject({
      executions: { totalCount: 1, nodes: [{ id: executionId }] },
    });
    expect(await run(documents.ListJobsDocument, { where: { id: [id] } })).toMatchObject({
      jobs: { totalCount: 1, nodes: [{ lastExecution: { id: executionId } }] },
    });
    const cancel = { id: executionId, reason: 'Why' };
    expect(await run(documents.CancelExecutionDocument, { input: cancel })).toMatchObject({
      cancelExecution: { execution: { status: 'CANCELLED', cancelReason: 'Why' }, errors: [] },
    });
    expect(await run(documents.ShowExecutionDocument, { id: executionId })).toMatchObject({
      execution: { job: { id }, status: 'CANCELLED' },
    });
    const log = await watch(documents.WatchLogDocument, { executionId });
    expect((await log.next()).value).toMatchObject({ executionLogs: { __typename: 'ExecutionLogEvent' } });
    expect(await log.next()).toMatchObject({ done: true });
  });

  it('redrive, retry and discard failed executions', async () => {
    const jobId = await createJob('Broken');
    const letters = [await insertFailure(jobId), await insertFailure(jobId), await insertFailure(jobId)];
    const where = { jobId: [jobId], open: true };
    expect(await run(documents.ListDeadLettersDocument, { where })).toMatchObject({
      deadLetters: { totalCount: 3 },
    });
    const since = '2000-01-01T00:00:00.000Z';
    const groups = await run(documents.ListFailureGroupsDocument, { since, where: { jobId: [jobId] } });
    expect(groups).toMatchObject({ failureGroups: [{ count: 3, job: { id: jobId } }] });
    const [group] = groups.failureGroups;
    const from = new Date(Date.parse(group?.lastAt ?? '') - 60_000).toISOString();
    const to = new Date(Date.parse(from) + 120_000).toISOString();
    const span = { from, to, bucketMs: 120_000, where: { jobId: [jobId] } };
    expect(await run(documents.CountExecutionsDocument, span)).toMatchObject({
      executionHistogram: [{ failed: 3 }],
    });
    const [first = '', second = ''] = letters;
    expect(await run(documents.RedriveDeadLettersDocument, { input: { ids: [first] } })).toMatchObject({
      redriveDeadLetters: {
        redrivenCount: 1,
        executions: [{ trigger: 'REDRIVE', redriveOf: { deadLetter: { id: first } } }],
        errors: [],
      },
    });
    const failed = encodePublicId('Execution', decodePublicId('DeadLetter', second) ?? '');
    expect(await run(documents.RetryExecutionDocument, { input: { id: failed } })).toMatchObject({
      retryExecution: { execution: { trigger: 'REDRIVE' }, errors: [] },
    });
    expect(await run(documents.DiscardDeadLettersDocument, { input: { where } })).toMatchObject({
      discardDeadLetters: { changedCount: 1, errors: [] },
    });
    expect(await run(documents.ListDeadLettersDocument, { where })).toMatchObject({
      deadLetters: { totalCount: 0 },
    });
  });

  it('show planned runs', async () => {
    const input = { key: 'ahead', name: 'Ahead', api: 'https://example.test/', schedule: '0 0 0 1 1 *' };
    const { upsertJob } = await run(documents.UpsertJobDocument, { input });
    const job = { id: upsertJob.job?.id ?? '', name: 'Ahead' };
    const where = { key: { eq: 'ahead' } };
    const [at] = (await run(documents.ListPlannedRunsDocument, { where, limit: 1 })).plannedRuns;
    expect(at).toMatchObject({ at: upsertJob.job?.nextRunAt, job });
    const from = upsertJob.job?.nextRunAt ?? '';
    const to = new Date(Date.parse(from) + 60_000).toISOString();
    const { plannedLoad } = await run(documents.ShowPlannedLoadDocument, {
      from,
      to,
      bucketMs: 60_000,
      where,
    });
    expect(plannedLoad).toMatchObject([{ from, to, count: 1, jobs: [job] }]);
  });

  it('show the state of the scheduler', async () => {
    expect(await run(documents.OverviewDocument, {})).toMatchObject({
      health: { status: 'UP' },
      schedulerStatus: { dueJobs: 0 },
    });
    const figures = await watch(documents.WatchSystemMetricsDocument, { intervalMs: 250 });
    expect((await figures.next()).value).toMatchObject({
      systemMetrics: { currentLoad: { runningExecutions: 0 } },
    });
    await figures.return(undefined);
  });

  it('have all run by now', () => {
    expect([...unused.values()]).toEqual([]);
  });

  it('include a feed of each kind, and all feeds can resume', () => {
    const plans = Object.values(documents).map((document: DocumentNode) => planResume(document));
    expect(plans.filter(({ kind }) => kind === 'refused')).toEqual([]);
    const fields = plans.flatMap((plan) => (plan.kind === 'feed' ? plan.field : []));
    expect(fields.sort()).toEqual([...feedFields].sort());
  });
});
