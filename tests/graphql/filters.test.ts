import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { insertExecution, insertJob } from '../support/rows.ts';
import { insertJobTags } from '../support/tags.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

// The tests of the pages compare filters with a simple implementation over generated values.

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
  const [tagged, plain] = [await insertJob(api.pool), await insertJob(api.pool)];
  await insertJobTags(api.pool, tagged, ['prod', 'team a']);
  for (const error_message of ['Status 50%.', 'Status 500.', 'a_b'])
    await insertExecution(api.pool, tagged, 'FAILED', { error_message });
  await insertExecution(api.pool, plain, 'FAILED');
  await insertExecution(api.pool, plain, 'PENDING');
});
afterAll(async () => {
  await api.close();
});

async function count(list: string, where: object): Promise<number> {
  const type = `${list.charAt(0).toUpperCase()}${list.slice(1, -1)}Where`;
  const source = `query ($where: ${type}) { ${list}(where: $where) { totalCount } }`;
  const data = await api.query<Record<string, { totalCount: number }>>(source, { where });
  return data[list]?.totalCount ?? NaN;
}

describe('a filter', () => {
  it('treats a missing value as one that does not match', async () => {
    expect(await count('executions', { failureReason: ['HTTP_STATUS'] })).toBe(4);
    expect(await count('executions', { NOT: { failureReason: ['HTTP_STATUS'] } })).toBe(1);
  });

  it.each([
    ['50%', 1],
    ['_', 1],
    ['%', 1],
  ])('matches %s literally', async (contains, expected) => {
    expect(await count('executions', { errorMessage: { contains } })).toBe(expected);
  });

  it.each(['executions', 'jobs', 'deadLetters'])(
    'by tags selects the same of %s for any spelling of a name',
    async (list) => {
      const all = await count(list, {});
      const of = (tags: object) => count(list, { tags });
      const tagged = await of({ hasAny: ['PROD'] });
      expect(tagged).toBeGreaterThan(0);
      expect(await of({ hasAll: ['prod', ' Team   A '] })).toBe(tagged);
      expect(await of({ hasNone: ['Prod'] })).toBe(all - tagged);
      expect(await of({ hasAny: ['unknown', 'prod'], hasNone: ['unknown'] })).toBe(tagged);
      expect(await of({ hasAll: ['prod', 'unknown'] })).toBe(0);
      expect(await of({ hasAny: [] })).toBe(0);
      expect(await of({ hasAll: [], hasNone: [] })).toBe(all);
      expect(await of({ hasAny: null })).toBe(all);
      // No row has a tag with an invalid name.
      expect(await of({ hasAny: ['', 'a\0'] })).toBe(0);
      expect(await of({ hasAll: ['prod', 'x'.repeat(1_000)] })).toBe(0);
      expect(await of({ hasNone: ['\ud800'] })).toBe(all);
    },
  );

  it('by tags selects the same when too many jobs have them to list their ids', async () => {
    const tag = randomUUID();
    await api.pool.query(`INSERT INTO job_tags (id, name, created_at) VALUES ($1, 'many', '2025-03-01')`, [
      tag,
    ]);
    await api.pool.query(
      `WITH job AS (INSERT INTO jobs (id, name, api, created_at, updated_at)
         SELECT gen_random_uuid(), 'One of many', 'http://example.test/', '2025-03-01', '2025-03-01'
         FROM generate_series(1, 501) RETURNING id)
       INSERT INTO job_tag_associations (job_id, tag_id) SELECT id, $1 FROM job`,
      [tag],
    );
    onTestFinished(async () => {
      await api.pool.query(`DELETE FROM jobs WHERE name = 'One of many'`);
    });
    const executions = await count('executions', {});
    expect(await count('jobs', { tags: { hasAny: ['many'] } })).toBe(501);
    expect(await count('jobs', { tags: { hasAny: ['many', 'prod'] } })).toBe(502);
    expect(await count('jobs', { tags: { hasAll: ['many', 'prod'] } })).toBe(0);
    expect(await count('jobs', { tags: { hasNone: ['many'] } })).toBe(2);
    expect(await count('executions', { tags: { hasAny: ['many'] } })).toBe(0);
    expect(await count('executions', { tags: { hasNone: ['many', 'unknown'] } })).toBe(executions);
    expect(await count('executions', { tags: { hasAny: ['many', 'prod'] } })).toBe(3);
    expect(await count('deadLetters', { tags: { hasAny: ['many', 'prod'] } })).toBe(3);
  });

  it('by more tags than a job may have is refused', async () => {
    const { errors } = await api.execute('query ($where: JobWhere) { jobs(where: $where) { totalCount } }', {
      where: { OR: [{ tags: { hasAll: Array.from({ length: 51 }, (_, n) => `tag ${n}`) } }] },
    });
    expect(errors).toMatchObject([
      {
        message: 'where.tags.hasAll: lists 51 tags; allowed are 50.',
        extensions: { code: 'BAD_USER_INPUT' },
      },
    ]);
  });

  it('with more values than a statement has parameters is refused, in any place', async () => {
    const thousand = Array.from({ length: 1_000 }, () => 'x');
    for (const list of [{ id: thousand }, { key: { in: thousand } }]) {
      const { errors } = await api.execute(
        'query ($where: JobWhere) { jobs(where: $where) { totalCount } }',
        {
          where: { OR: Array.from({ length: 66 }, () => list) },
        },
      );
      expect(errors).toMatchObject([
        { message: 'where: lists more than 10000 values.', extensions: { code: 'BAD_USER_INPUT' } },
      ]);
    }
  });
});
