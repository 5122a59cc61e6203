import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { clearJobs, START } from '../commands/harness.ts';
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

async function createdJob(name: string, tags: string[]): Promise<string> {
  const { createJob } = await api.query<{ createJob: { job: { id: string } } }>(
    'mutation ($input: CreateJobInput!) { createJob(input: $input) { job { id } errors { message } } }',
    { input: { name, tags, api: 'https://example.test/' } },
  );
  return createJob.job.id;
}

const LIST = `{ tags { totalCount nodes { id name color jobs { totalCount nodes { name tags { name } } } } } }`;
type List = { tags: { totalCount: number; nodes: { id: string; name: string }[] } };

describe('tags', () => {
  it('are listed by name with their newest jobs, and found by id', async () => {
    await createdJob('First', ['b', 'A']);
    api.clock.set('2025-03-01T12:00:01.000Z');
    const second = await createdJob('Second', ['b']);
    const gone = await createdJob('Gone', ['b', 'c']);
    await api.query('mutation ($id: ID!) { deleteJob(input: { id: $id }) { errors { message } } }', {
      id: gone,
    });
    await api.query(
      'mutation { createTag(input: { name: "D", color: "#ABCDEF" }) { tag { id } errors { message } } }',
    );

    const data = await api.query<List>(LIST);
    const first = { name: 'First', tags: [{ name: 'a' }, { name: 'b' }] };
    expect(data).toMatchObject({
      tags: {
        totalCount: 4,
        nodes: [
          { name: 'a', color: null, jobs: { totalCount: 1, nodes: [first] } },
          { name: 'b', jobs: { totalCount: 2, nodes: [{ name: 'Second', tags: [{ name: 'b' }] }, first] } },
          { name: 'c', jobs: { totalCount: 0, nodes: [] } },
          { name: 'd', color: '#abcdef', jobs: { totalCount: 0, nodes: [] } },
        ],
      },
    });

    const id = data.tags.nodes[1]?.id;
    expect(id).toMatch(/^tag_/);
    const paged = await api.query(
      `query ($id: ID!, $job: ID!) {
        node(id: $id) { ... on Tag { name jobs(last: 1) { nodes { name } pageInfo { hasPreviousPage } } } }
        job(id: $job) { tags { id } }
      }`,
      { id, job: second },
    );
    expect(paged).toEqual({
      node: { name: 'b', jobs: { nodes: [{ name: 'First' }], pageInfo: { hasPreviousPage: true } } },
      job: { tags: [{ id }] },
    });
  });

  it('of many jobs, and jobs of many tags, cost a fixed number of statements', async () => {
    const JOBS = `{ jobs { totalCount nodes { name tags { name color jobs { totalCount nodes { name } } } } } }`;
    const statements = async (source: string) => {
      await api.query(source);
      api.takeStatements();
      await api.query(source);
      return api.takeStatements().length;
    };
    await createdJob('First', ['a']);
    const few = [await statements(LIST), await statements(JOBS)];
    for (let index = 0; index < 8; index += 1) await createdJob(`Job ${index}`, ['a', 'b', `own ${index}`]);
    expect([await statements(LIST), await statements(JOBS)]).toEqual(few);
    expect(Math.max(...few)).toBeLessThanOrEqual(9);
  });

  it('are added, removed, changed and deleted, and each answer shows the current state', async () => {
    const jobId = await createdJob('Job', ['a']);
    const { addJobTags } = await api.query<{ addJobTags: object }>(
      `mutation ($input: TagJobInput!) { addJobTags(input: $input) {
        job { version tags { name } } errors { code path message }
      } }`,
      { input: { jobId, tags: ['B'] } },
    );
    expect(addJobTags).toEqual({ job: { version: 2, tags: [{ name: 'a' }, { name: 'b' }] }, errors: [] });

    const { tags } = await api.query<List>(LIST);
    const id = tags.nodes[0]?.id;
    const data = await api.query(
      `mutation ($jobId: ID!, $id: ID!) {
        updateTag(input: { id: $id, name: "First", color: "#00ff00" }) { tag { id name color } errors { code } }
        removeJobTags(input: { jobId: $jobId, tags: ["b"] }) { job { tags { name } } errors { code } }
        deleteTag(input: { id: $id }) { deletedId errors { code } }
        again: deleteTag(input: { id: $id }) { deletedId errors { code path } }
        createTag(input: { name: "" }) { tag { id } errors { code path } }
      }`,
      { jobId, id },
    );
    expect(data).toEqual({
      updateTag: { tag: { id, name: 'first', color: '#00ff00' }, errors: [] },
      removeJobTags: { job: { tags: [{ name: 'first' }] }, errors: [] },
      deleteTag: { deletedId: id, errors: [] },
      again: { deletedId: null, errors: [{ code: 'NOT_FOUND', path: ['id'] }] },
      createTag: { tag: null, errors: [{ code: 'VALIDATION', path: ['name'] }] },
    });
    expect(await api.query('query ($id: ID!) { node(id: $id) { id } }', { id })).toEqual({ node: null });
  });
});
