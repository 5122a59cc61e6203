import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { clearJobs, START } from '../commands/harness.ts';
import { insertExecution, insertJob, insertRow, type Row } from '../support/rows.ts';
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

const ERRORS = 'errors { __typename code message path }';
const FIELDS = /* GraphQL */ `
  id
  channel
  target
  events
  failureThreshold
  latenessThresholdMs
  enabled
  failing
  failuresInRow
  createdAt
  job {
    id
  }
`;

async function insertAlert(jobId: string, facts: Row = {}): Promise<string> {
  const row = await insertRow(api.pool, 'job_alerts', {
    id: randomUUID(),
    job_id: jobId,
    channel: 'WEBHOOK',
    target: 'https://hooks.test/a',
    events: '{FAILED}',
    created_at: START,
    updated_at: START,
    ...facts,
  });
  return row['id'] as string;
}

async function insertDelivery(alertId: string, second: number, facts: Row = {}): Promise<string> {
  const at = new Date(Date.parse(START) + second * 1_000);
  const row = await insertRow(api.pool, 'job_alert_deliveries', {
    id: randomUUID(),
    alert_id: alertId,
    event: 'FAILED',
    created_at: at,
    due_at: at,
    available_at: at,
    ...facts,
  });
  return encodePublicId('AlertDelivery', row['id'] as string);
}

describe('an alert', () => {
  it('is created, read from its job and as a node, changed and deleted', async () => {
    const jobId = encodePublicId('Job', await insertJob(api.pool));
    const { createJobAlert } = await api.query<{ createJobAlert: { alert: { id: string } } }>(
      `mutation ($input: CreateJobAlertInput!) { createJobAlert(input: $input) { alert { ${FIELDS} } ${ERRORS} } }`,
      {
        input: {
          jobId,
          channel: 'SLACK',
          target: 'https://hooks.slack.test/services/s3cret',
          events: ['RECOVERED', 'FAILED'],
          failureThreshold: 3,
        },
      },
    );
    const { id } = createJobAlert.alert;
    expect(createJobAlert).toEqual({
      alert: {
        id: expect.stringMatching(/^alert_[0-9a-z]{26}$/) as string,
        channel: 'SLACK',
        target: 'https://hooks.slack.test/***',
        events: ['FAILED', 'RECOVERED'],
        failureThreshold: 3,
        latenessThresholdMs: 60_000,
        enabled: true,
        failing: false,
        failuresInRow: 0,
        createdAt: START,
        job: { id: jobId },
      },
      errors: [],
    });

    const { updateJobAlert } = await api.query<{ updateJobAlert: object }>(
      `mutation ($input: UpdateJobAlertInput!) { updateJobAlert(input: $input) { alert { enabled target } ${ERRORS} } }`,
      { input: { id, enabled: false } },
    );
    expect(updateJobAlert).toEqual({
      alert: { enabled: false, target: 'https://hooks.slack.test/***' },
      errors: [],
    });
    const read = await api.query(
      `query ($id: ID!, $jobId: ID!) {
        node(id: $id) { id ... on JobAlert { failureThreshold } }
        job(id: $jobId) { alerts { id enabled } version }
      }`,
      { id, jobId },
    );
    expect(read).toEqual({
      node: { id, failureThreshold: 3 },
      job: { alerts: [{ id, enabled: false }], version: 3 },
    });

    const remove = `mutation ($id: ID!) { deleteJobAlert(input: { id: $id }) { deletedId ${ERRORS} } }`;
    expect(await api.query(remove, { id })).toEqual({ deleteJobAlert: { deletedId: id, errors: [] } });
    expect(await api.query(remove, { id })).toMatchObject({
      deleteJobAlert: { deletedId: null, errors: [{ __typename: 'NotFoundError', path: ['id'] }] },
    });
  });

  it('that is refused returns the reason, by field', async () => {
    const jobId = encodePublicId('Job', await insertJob(api.pool));
    const input = { jobId, channel: 'EMAIL', target: 'nobody', events: ['LATE'], latenessThresholdMs: 1 };
    expect(
      await api.query(
        `mutation ($input: CreateJobAlertInput!) { createJobAlert(input: $input) { alert { id }
          errors { code ... on ValidationError { issues { path } } } } }`,
        { input },
      ),
    ).toEqual({
      createJobAlert: {
        alert: null,
        errors: [{ code: 'VALIDATION', issues: [{ path: ['latenessThresholdMs'] }, { path: ['target'] }] }],
      },
    });
  });
});

describe('a test of an alert', () => {
  it('returns its delivery', async () => {
    const id = encodePublicId('JobAlert', await insertAlert(await insertJob(api.pool)));
    expect(
      await api.query(
        `mutation ($id: ID!) { testJobAlert(input: { id: $id }) { delivery { id event status attempts test
          execution { id } alert { id } payload } ${ERRORS} } }`,
        { id },
      ),
    ).toMatchObject({
      testJobAlert: {
        // The harness sends nothing.
        delivery: {
          event: 'FAILED',
          status: 'PENDING',
          attempts: 1,
          test: true,
          execution: null,
          alert: { id },
        },
        errors: [],
      },
    });
  });
});

describe('deliveries', () => {
  it('are listed newest first, in pages, and read as nodes', async () => {
    const job = await insertJob(api.pool);
    const alert = await insertAlert(job);
    const other = await insertAlert(job);
    const execution = await insertExecution(api.pool, job, 'FAILED');
    const ids = [
      await insertDelivery(alert, 0, { execution_id: execution, last_error: 'Status 500.', attempts: 2 }),
      await insertDelivery(alert, 1, { status: 'DELIVERED', delivered_at: START, occurrences: 7 }),
      await insertDelivery(alert, 2, { status: 'FAILED' }),
    ];
    await insertDelivery(other, 3);
    const page = `query ($id: ID!, $after: String) { node(id: $id) { ... on JobAlert {
      deliveries(first: 2, after: $after) { nodes { id status occurrences nextAttemptAt deliveredAt }
        pageInfo { hasNextPage endCursor } totalCount } } } }`;
    type Page = { node: { deliveries: { nodes: object[]; pageInfo: { endCursor: string } } } };
    const id = encodePublicId('JobAlert', alert);
    const first = await api.query<Page>(page, { id });
    expect(first.node.deliveries).toMatchObject({
      nodes: [
        { id: ids[2], status: 'FAILED', nextAttemptAt: null },
        { id: ids[1], status: 'DELIVERED', occurrences: 7, deliveredAt: START },
      ],
      pageInfo: { hasNextPage: true },
      totalCount: 3,
    });
    const last = 'deliveries(last: 2) { nodes { id } pageInfo { hasPreviousPage } }';
    expect(
      await api.query(`query ($id: ID!) { node(id: $id) { ... on JobAlert { ${last} } } }`, { id }),
    ).toEqual({
      node: { deliveries: { nodes: [{ id: ids[1] }, { id: ids[0] }], pageInfo: { hasPreviousPage: true } } },
    });
    const second = await api.query<Page>(page, { id, after: first.node.deliveries.pageInfo.endCursor });
    expect(second.node.deliveries).toMatchObject({
      nodes: [{ id: ids[0], status: 'PENDING', nextAttemptAt: START }],
      pageInfo: { hasNextPage: false },
      totalCount: 3,
    });
    expect(
      await api.query(
        `query ($id: ID!) { node(id: $id) { id ... on AlertDelivery { event attempts lastError
          execution { id } alert { id } } } }`,
        { id: ids[0] },
      ),
    ).toEqual({
      node: {
        id: ids[0],
        event: 'FAILED',
        attempts: 2,
        lastError: 'Status 500.',
        execution: { id: encodePublicId('Execution', execution) },
        alert: { id },
      },
    });
  });

  it('and alerts cost a fixed number of statements, however many jobs are listed', async () => {
    const insert = async (jobs: number) => {
      for (let n = 0; n < jobs; n += 1) {
        const job = await insertJob(api.pool);
        const execution = await insertExecution(api.pool, job, 'FAILED');
        for (const alert of [await insertAlert(job), await insertAlert(job)]) {
          await insertDelivery(alert, n, { execution_id: execution });
        }
      }
    };
    const measure = async () => {
      api.takeStatements();
      await api.query(/* GraphQL */ `
        {
          jobs(first: 100) {
            nodes {
              alerts {
                target
                deliveries(first: 3) {
                  nodes {
                    status
                    execution {
                      status
                    }
                  }
                  totalCount
                }
              }
            }
          }
        }
      `);
      return api.takeStatements().length;
    };
    await insert(2);
    const few = await measure();
    await insert(30);
    expect(await measure()).toBe(few);
    expect(few).toBeLessThanOrEqual(7);
  });
});
