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

const UPSERT = /* GraphQL */ `
  mutation ($jobs: [CreateJobInput!]!) {
    upsertJobs(input: { jobs: $jobs }) {
      jobs {
        key
        name
        version
        tags {
          name
        }
      }
      createdCount
      changedCount
      unchangedCount
      errors {
        __typename
        code
        path
        message
      }
    }
  }
`;
interface Upserted {
  jobs: { key: string; name: string; version: number; tags: { name: string }[] }[];
  createdCount: number;
  changedCount: number;
  unchangedCount: number;
  errors: object[];
}

const job = (key: string, input: object = {}) => ({
  key,
  name: key,
  api: 'https://example.test/',
  schedule: '@hourly',
  ...input,
});
const jobs = (from: number, n: number, input: object) =>
  Array.from({ length: n }, (_, index) => job(`k${from + index}`, { tags: [`t${index % 3}`], ...input }));

async function upsert(list: object[]): Promise<Upserted> {
  return (await api.query<{ upsertJobs: Upserted }>(UPSERT, { jobs: list })).upsertJobs;
}

/** The number of statements of the operation. */
async function statements(run: () => Promise<unknown>): Promise<number> {
  api.takeStatements();
  await run();
  return api.takeStatements().length;
}

describe('upserts', () => {
  it('return the jobs in the order of the input, with the result of each', async () => {
    expect(await upsert([job('b', { tags: ['x'] }), job('a')])).toEqual({
      jobs: [
        { key: 'b', name: 'b', version: 1, tags: [{ name: 'x' }] },
        { key: 'a', name: 'a', version: 1, tags: [] },
      ],
      createdCount: 2,
      changedCount: 0,
      unchangedCount: 0,
      errors: [],
    });
    const changed = await upsert([job('c'), job('a', { name: 'New' }), job('b')]);
    expect(changed).toMatchObject({ createdCount: 1, changedCount: 1, unchangedCount: 1 });
    expect(changed.jobs.map(({ name, version }) => [name, version])).toEqual([
      ['c', 1],
      ['New', 2],
      ['b', 1],
    ]);
    const { upsertJob } = await api.query<{ upsertJob: object }>(
      'mutation ($input: CreateJobInput!) { upsertJob(input: $input) { job { name version } errors { path } } }',
      { input: job('a', { name: 'Newer' }) },
    );
    expect(upsertJob).toEqual({ job: { name: 'Newer', version: 3 }, errors: [] });
  });

  it('name the invalid job of the list, and then write none', async () => {
    const refused = await upsert([
      job('a'),
      job('b', { schedule: '* *' }),
      job('a'),
      { ...job('c'), key: null },
    ]);
    expect(refused).toMatchObject({
      jobs: [],
      createdCount: 0,
      errors: [
        { code: 'VALIDATION', path: ['input', 'jobs', '2', 'key'] },
        { code: 'VALIDATION', path: ['input', 'jobs', '3', 'key'] },
      ],
    });
    expect(await upsert([job('a'), job('b', { schedule: '* *' })])).toMatchObject({
      errors: [{ __typename: 'InvalidScheduleError', path: ['input', 'jobs', '1', 'schedule'] }],
    });
    expect(await api.query('{ jobs { totalCount } }')).toEqual({ jobs: { totalCount: 0 } });
  });

  it('take a fixed number of statements, however many jobs are new, changed and unchanged', async () => {
    const mixed = (n: number, from: number) => async () => {
      await upsert(jobs(from, 2 * n, { name: 'Old' }));
      return statements(() =>
        upsert([
          ...jobs(from, n, { name: 'Old' }),
          ...jobs(from + n, n, { name: 'New', schedule: '@daily', tags: ['t1'] }),
          ...jobs(from + 2 * n, n, { name: 'New' }),
        ]),
      );
    };
    await upsert(jobs(0, 3, {}));
    const few = await mixed(2, 100)();
    expect(await mixed(60, 200)()).toBe(few);
    expect(few).toBeLessThanOrEqual(17);
    expect(await statements(() => upsert(jobs(200, 60, { name: 'Old' })))).toBeLessThanOrEqual(8);
  });
});

function nested(levels: number): object {
  return levels === 1 ? {} : { NOT: nested(levels - 1) };
}

describe('changes of many jobs', () => {
  const bulk = (name: string, input: object) =>
    api.query<Record<string, { matchedCount: number; changedCount: number; errors: object[] }>>(
      `mutation ($input: BulkJobsInput!) { ${name}(input: $input) { matchedCount changedCount errors { code path } } }`,
      { input },
    );
  const counts = async (name: string, where: object, limit?: number) => {
    const payload = (await bulk(name, { where, ...(limit === undefined ? {} : { limit }) }))[name];
    expect(payload?.errors).toEqual([]);
    return [payload?.matchedCount, payload?.changedCount];
  };

  it('select jobs like lists', async () => {
    await upsert([
      job('a', { tags: ['prod'] }),
      job('b', { tags: ['prod', 'eu'] }),
      job('c', { status: 'PAUSED' }),
    ]);
    expect(await counts('pauseJobs', { tags: { hasAll: ['PROD'], hasNone: ['eu'] } })).toEqual([1, 1]);
    expect(
      await counts('triggerJobs', { OR: [{ key: { eq: 'a' } }, { name: { startsWith: 'b' } }] }),
    ).toEqual([2, 2]);
    expect(await counts('resumeJobs', { status: ['PAUSED'] }, 1)).toEqual([1, 1]);
    expect(await counts('resumeJobs', { status: ['PAUSED'] }, 100_000)).toEqual([1, 1]);
    expect(await counts('deleteJobs', { key: { in: ['a', 'c', 'unknown'] } })).toEqual([2, 2]);
    expect(await counts('deleteJobs', {})).toEqual([1, 1]);
    expect(await counts('deleteJobs', { status: ['DELETED'] })).toEqual([3, 0]);
  });

  it('refuse a limit that is too small', async () => {
    const { pauseJobs } = await bulk('pauseJobs', { where: {}, limit: 0 });
    expect(pauseJobs).toEqual({
      matchedCount: 0,
      changedCount: 0,
      errors: [{ code: 'VALIDATION', path: ['limit'] }],
    });
  });

  it.each<[string, object, string[]]>([
    ['201 conditions', { OR: Array.from({ length: 201 }, () => ({ key: { eq: 'x' } })) }, []],
    ['9 levels', nested(9), []],
    ['1,001 ids', { id: Array.from({ length: 1_001 }, () => 'job_x') }, ['id']],
    ['a text of 5,001 characters', { OR: [{ name: { contains: 'x'.repeat(5_001) } }] }, ['name']],
    ['half of a surrogate pair', { key: { eq: '\ud800' } }, ['key']],
    ['51 tags', { tags: { hasNone: Array.from({ length: 51 }, () => 'x') } }, ['tags', 'hasNone']],
  ])('refuse a filter of %s as data, naming its path', async (_what, where, path) => {
    await upsert([job('a')]);
    for (const name of ['pauseJobs', 'resumeJobs', 'triggerJobs', 'deleteJobs']) {
      expect((await bulk(name, { where }))[name]).toEqual({
        matchedCount: 0,
        changedCount: 0,
        errors: [{ code: 'VALIDATION', path: ['where', ...path] }],
      });
    }
  });

  it('pause for a reason, and refuse a reason otherwise because it would not be used', async () => {
    await upsert([job('reasoned', {})]);
    const where = { key: { eq: 'reasoned' } };
    const facts = { reason: 'Maintenance', until: '2100-01-01T00:00:00.000Z' };
    for (const name of ['triggerJobs', 'resumeJobs', 'deleteJobs']) {
      const { [name]: refused } = await bulk(name, { where, reason: 'Maintenance' });
      expect(refused).toMatchObject({ changedCount: 0, errors: [{ code: 'VALIDATION', path: ['reason'] }] });
    }
    await bulk('pauseJobs', { where, ...facts });
    const { job: paused } = await api.query<{ job: unknown }>(
      '{ job(key: "reasoned") { pauseReason pausedUntil } }',
    );
    expect(paused).toEqual({ pauseReason: facts.reason, pausedUntil: facts.until });
  });

  it('take a fixed number of statements for a chunk of any size', async () => {
    const all = async (from: number, n: number) => {
      await upsert(jobs(from, n, { concurrencyPolicy: 'REPLACE' }));
      const where = { key: { in: jobs(from, n, {}).map(({ key }) => key) } };
      const taken: Record<string, number> = {};
      for (const name of ['triggerJobs', 'pauseJobs', 'resumeJobs', 'deleteJobs'])
        taken[name] = await statements(async () => {
          expect(await counts(name, where)).toEqual([n, n]);
        });
      return taken;
    };
    await all(0, 2);
    const few = await all(100, 2);
    expect(await all(200, 40)).toEqual(few);
    expect(Math.max(...Object.values(few))).toBeLessThanOrEqual(11);
  });
});
