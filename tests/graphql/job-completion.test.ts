import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { START, clearJobs } from '../commands/harness.ts';
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

const JOB =
  'job { id completion completionTimeoutMs } errors { ... on ValidationError { issues { path message } } }';
type Payload = { job: Record<string, unknown> | null; errors: unknown[] };

async function create(input: Record<string, unknown>): Promise<Payload> {
  const mutation = `mutation ($input: CreateJobInput!) { createJob(input: $input) { ${JOB} } }`;
  const whole = { name: 'Report', api: 'https://example.test/', ...input };
  return (await api.query<{ createJob: Payload }>(mutation, { input: whole })).createJob;
}

async function update(input: Record<string, unknown>): Promise<Payload> {
  const mutation = `mutation ($input: UpdateJobInput!) { updateJob(input: $input) { ${JOB} } }`;
  return (await api.query<{ updateJob: Payload }>(mutation, { input })).updateJob;
}

describe('the completion of a job', () => {
  it('is the answer by default; a callback has an hour', async () => {
    expect(await create({})).toMatchObject({
      job: { completion: 'RESPONSE', completionTimeoutMs: 3_600_000 },
      errors: [],
    });
  });

  it('can be a callback, and can be changed', async () => {
    const { job } = await create({ completion: 'CALLBACK', completionTimeoutMs: 604_800_000 });
    expect(job).toMatchObject({ completion: 'CALLBACK', completionTimeoutMs: 604_800_000 });
    const changed = await update({ id: job?.['id'], completionTimeoutMs: 1_000 });
    expect(changed.job).toMatchObject({ completion: 'CALLBACK', completionTimeoutMs: 1_000 });
    expect((await update({ id: job?.['id'], completion: 'RESPONSE' })).job).toMatchObject({
      completion: 'RESPONSE',
    });
    expect((await api.auditEntries()).at(-1)).toMatchObject({
      before: { completion: 'CALLBACK' },
      after: { completion: 'RESPONSE' },
    });
  });

  it.each([999, 604_800_001])('cannot be a callback after %i ms', async (completionTimeoutMs) => {
    expect(await create({ completion: 'CALLBACK', completionTimeoutMs })).toMatchObject({
      job: null,
      errors: [
        {
          issues: [
            {
              path: ['completionTimeoutMs'],
              message: `Must be a whole number from 1000 to 604800000; it is ${completionTimeoutMs}.`,
            },
          ],
        },
      ],
    });
  });
});
