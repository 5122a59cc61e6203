import { readdir, readFile } from 'node:fs/promises';
import { concatAST, Kind, parse, print, separateOperations, validate } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

const FOLDER = new URL('../../docs/examples/', import.meta.url);

let api: ApiHarness;
let operations: Record<string, string>;

beforeAll(async () => {
  api = await createApiHarness();
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.graphql'));
  const texts = await Promise.all(files.map((name) => readFile(new URL(name, FOLDER), 'utf8')));
  const document = concatAST(texts.map((text) => parse(text)));
  expect(validate(schema, document)).toEqual([]);
  const separate = Object.entries(separateOperations(document));
  operations = Object.fromEntries(separate.map(([name, operation]) => [name, print(operation)]));
  expect(document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION)).toHaveLength(
    separate.length,
  );
});
afterAll(async () => {
  await api.close();
});

type Payload = {
  job?: { id: string; status: string };
  execution?: { id: string; status: string };
  errors: object[];
};
const run = <Data>(name: string, variables: object = {}) =>
  api.query<Data>(operations[name] ?? `no operation is called ${name}`, { ...variables });
const mutate = async (name: string, field: string, input: object): Promise<Payload> => {
  const data = await run<Record<string, Payload>>(name, { input });
  return data[field] ?? { errors: [] };
};

describe('the examples', () => {
  it('do what they say, one after the other', async () => {
    const created = await mutate('CreateJob', 'createJob', {
      name: 'Report',
      api: 'https://example.test/report',
      schedule: '@daily',
    });
    const id = created.job?.id ?? '';
    expect(created.errors).toEqual([]);
    expect(await mutate('UpdateJob', 'updateJob', { id, name: 'New', expectedVersion: 1 })).toMatchObject({
      errors: [],
    });

    const triggered = await mutate('TriggerJob', 'triggerJob', { id, idempotencyKey: 'once' });
    const executionId = triggered.execution?.id ?? '';
    expect(triggered).toMatchObject({ execution: { status: 'PENDING' }, errors: [] });

    expect(await run('ListJobs', { first: 10 })).toMatchObject({
      jobs: { totalCount: 1, nodes: [{ id, name: 'New', lastExecution: { id: executionId } }] },
    });
    expect(await run('InspectExecution', { id: executionId })).toMatchObject({ execution: { job: { id } } });
    expect(await mutate('PauseJob', 'pauseJob', { id, reason: 'Why' })).toMatchObject({
      job: { status: 'PAUSED' },
    });
    expect(await mutate('ResumeJob', 'resumeJob', { id })).toMatchObject({ job: { status: 'ACTIVE' } });
    expect(await mutate('DeleteJob', 'deleteJob', { id })).toMatchObject({ job: { status: 'DELETED' } });
    expect(await mutate('DeleteJob', 'deleteJob', { id })).toMatchObject({
      errors: [{ __typename: 'NotFoundError', id }],
    });
    expect(await run('PreviewSchedule', { schedule: '@hourly' })).toMatchObject({
      previewSchedule: { timezone: 'UTC' },
    });
    expect(await run('Status')).toMatchObject({ health: { status: 'UP' }, schedulerStatus: { dueJobs: 0 } });
  });

  it('follow jobs', async () => {
    const feed = await api.subscribe<object>(operations['WatchJobs'] ?? '', {
      where: { key: { eq: 'watched' } },
    });
    const input = { name: 'Watched', key: 'watched', api: 'https://example.test/report' };
    await mutate('CreateJob', 'createJob', input);
    expect((await feed.next()).value).toMatchObject({
      jobEvents: { kind: 'CREATED', job: { name: 'Watched' } },
    });
    await feed.return(undefined);
  });

  it('follow executions and their logs', async () => {
    const created = await mutate('CreateJob', 'createJob', {
      name: 'Report',
      api: 'https://example.test/report',
    });
    const id = created.job?.id ?? '';
    const feed = await api.subscribe<object>(operations['WatchExecutions'] ?? '', { where: { jobId: [id] } });
    const { execution } = await mutate('TriggerJob', 'triggerJob', { id });
    expect((await feed.next()).value).toMatchObject({
      executionEvents: { kind: 'PLANNED', execution: { id: execution?.id } },
    });
    await feed.return(undefined);
    const log = await api.subscribe<object>(operations['WatchLog'] ?? '', { executionId: execution?.id });
    await log.return(undefined);
  });
});
