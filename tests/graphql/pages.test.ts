import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/public-id.ts';
import { clearJobs } from '../commands/harness.ts';
import { insertExecution, insertJob } from '../support/rows.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

let api: ApiHarness;

beforeAll(async () => {
  api = await createApiHarness();
});
afterAll(async () => {
  await api.close();
});

type PageInfo = {
  hasNextPage: boolean;
  hasPreviousPage: boolean;
  startCursor: string | null;
  endCursor: string | null;
};
type Page = {
  edges: { cursor: string; node: { id: string } }[];
  nodes: { id: string }[];
  pageInfo: PageInfo;
};
type OrderKey = { field: string; direction: 'ASC' | 'DESC' };

/** A row of the model: its sort values by API name, null where the column is. */
type Row = { id: string } & Record<string, string | number | null>;

/** Sorts as the API promises to: by the keys in turn, nulls last, then by id in the last key's direction. */
function sorted(rows: readonly Row[], orderBy: readonly OrderKey[]): Row[] {
  const keys = [...orderBy, { field: 'id', direction: orderBy.at(-1)?.direction ?? 'ASC' }];
  return rows.toSorted((a, b) => {
    for (const { field, direction } of keys) {
      const [x = null, y = null] = [a[field], b[field]];
      if (x === y) continue;
      if (x === null) return 1;
      if (y === null) return -1;
      return (x < y ? -1 : 1) * (direction === 'ASC' ? 1 : -1);
    }
    return 0;
  });
}

/** Follows pages from one end to the other. */
async function walk(list: string, orderBy: OrderKey[], size: number, forward: boolean): Promise<string[]> {
  const type = list === 'jobs' ? 'JobOrder' : 'ExecutionOrder';
  const args = forward ? 'first: $size, after: $cursor' : 'last: $size, before: $cursor';
  const source = `query ($size: Int, $cursor: String, $orderBy: [${type}!]) {
    ${list}(${args}, orderBy: $orderBy) {
      edges { cursor node { id } } nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    }
  }`;
  const ids: string[] = [];
  let cursor: string | null = null;
  for (;;) {
    const data: Record<string, Page> = await api.query(source, { size, cursor, orderBy });
    const page: Page | undefined = data[list];
    if (!page) throw new Error('The answer lacks the list');
    const shown = page.edges.map(({ node }) => node.id);
    expect(page.nodes.map(({ id }) => id)).toEqual(shown);
    expect(shown.length).toBeLessThanOrEqual(size);
    if (forward) ids.push(...shown);
    else ids.unshift(...shown);
    cursor = forward ? page.pageInfo.endCursor : page.pageInfo.startCursor;
    if (!(forward ? page.pageInfo.hasNextPage : page.pageInfo.hasPreviousPage)) return ids;
  }
}

const direction = fc.constantFrom('ASC' as const, 'DESC' as const);

function orderings(fields: string[]): fc.Arbitrary<OrderKey[]> {
  return fc
    .uniqueArray(fc.constantFrom(...fields), { minLength: 1, maxLength: 3 })
    .chain((names) => fc.tuple(...names.map((field) => direction.map((d) => ({ field, direction: d })))));
}

describe('pages of jobs', () => {
  let rows: Row[];

  beforeEach(async () => {
    await clearJobs(api.pool);
    rows = [];
    // Few values for many rows, so that every key has ties, and nulls.
    for (let index = 0; index < 17; index += 1) {
      const at = (n: number) => new Date(Date.UTC(2025, 0, 1 + n));
      const [created, updated, next] = [at(index % 3), at(index % 4), index % 5 === 0 ? null : at(index % 2)];
      const name = ['a', 'b', 'c%', 'd_'][index % 4] ?? '';
      const id = await insertJob(api.pool, {
        name,
        created_at: created,
        updated_at: updated,
        next_run_at: next,
      });
      rows.push({
        id: encodePublicId('Job', id),
        NAME: name,
        CREATED_AT: created.getTime(),
        UPDATED_AT: updated.getTime(),
        NEXT_RUN_AT: next === null ? null : next.getTime(),
      });
    }
  });

  it('are what a plain sort gives, forwards and backwards, in any order and of any size', async () => {
    await fc.assert(
      fc.asyncProperty(
        orderings(['NAME', 'CREATED_AT', 'UPDATED_AT', 'NEXT_RUN_AT']),
        fc.integer({ min: 1, max: 20 }),
        fc.boolean(),
        async (orderBy, size, forward) => {
          expect(await walk('jobs', orderBy, size, forward)).toEqual(
            sorted(rows, orderBy).map(({ id }) => id),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are bounded on both sides where both cursors are given', async () => {
    const orderBy = [{ field: 'NEXT_RUN_AT', direction: 'ASC' as const }];
    const source = `query ($after: String, $before: String, $orderBy: [JobOrder!]) {
      jobs(first: 100, after: $after, before: $before, orderBy: $orderBy) { edges { cursor node { id } } }
    }`;
    const { jobs: all } = await api.query<{ jobs: Page }>(source, { orderBy });
    const { jobs } = await api.query<{ jobs: Page }>(source, {
      orderBy,
      after: all.edges[2]?.cursor,
      before: all.edges[14]?.cursor,
    });
    expect(jobs.edges).toEqual(all.edges.slice(3, 14));
  });

  it('go on from a cursor whose row is gone', async () => {
    const source = `query ($after: String) { jobs(first: 5, after: $after) { nodes { id } pageInfo { endCursor } } }`;
    const order = sorted(rows, [{ field: 'CREATED_AT', direction: 'DESC' }]).map(({ id }) => id);
    const { jobs: first } = await api.query<{ jobs: Page }>(source);
    expect(first.nodes.map(({ id }) => id)).toEqual(order.slice(0, 5));
    await api.pool.query(
      'DELETE FROM jobs WHERE id IN (SELECT id FROM jobs ORDER BY created_at DESC, id DESC LIMIT 5)',
    );
    const { jobs: second } = await api.query<{ jobs: Page }>(source, { after: first.pageInfo.endCursor });
    expect(second.nodes.map(({ id }) => id)).toEqual(order.slice(5, 10));
  });

  it('may be empty', async () => {
    expect(
      await api.query('{ jobs(first: 0) { nodes { id } pageInfo { hasNextPage startCursor } } }'),
    ).toEqual({
      jobs: { nodes: [], pageInfo: { hasNextPage: true, startCursor: null } },
    });
  });
});

describe('pages of executions', () => {
  it('are what a plain sort gives, of all jobs and of one', async () => {
    await clearJobs(api.pool);
    const [jobId, otherJobId] = [await insertJob(api.pool), await insertJob(api.pool)];
    const rows: Row[] = [];
    for (let index = 0; index < 15; index += 1) {
      const created = new Date(Date.UTC(2025, 0, 1 + (index % 4)));
      const id = await insertExecution(api.pool, jobId, index % 3 === 0 ? 'PENDING' : 'SUCCESS', {
        at: created,
      });
      const isPending = index % 3 === 0;
      rows.push({
        id: encodePublicId('Execution', id),
        CREATED_AT: created.getTime(),
        SCHEDULED_AT: null,
        STARTED_AT: isPending ? null : created.getTime(),
        FINISHED_AT: isPending ? null : created.getTime() + 100,
      });
    }
    await fc.assert(
      fc.asyncProperty(
        orderings(['CREATED_AT', 'SCHEDULED_AT', 'STARTED_AT', 'FINISHED_AT']),
        fc.integer({ min: 1, max: 16 }),
        fc.boolean(),
        async (orderBy, size, forward) => {
          expect(await walk('executions', orderBy, size, forward)).toEqual(
            sorted(rows, orderBy).map(({ id }) => id),
          );
        },
      ),
      { numRuns: 25 },
    );

    const newest = sorted(rows, [{ field: 'CREATED_AT', direction: 'DESC' }]).map(({ id }) => ({ id }));
    const data = await api.query(
      `query ($id: ID!, $other: ID!) {
        job(id: $id) {
          latest: executions(first: 4) { nodes { id } totalCount pageInfo { hasNextPage } }
          oldest: executions(last: 4) { nodes { id } pageInfo { hasPreviousPage } }
          pending: executions(where: { status: [PENDING] }) { totalCount }
        }
        other: job(id: $other) { executions { nodes { id } totalCount } }
      }`,
      { id: encodePublicId('Job', jobId), other: encodePublicId('Job', otherJobId) },
    );
    expect(data).toEqual({
      job: {
        latest: { nodes: newest.slice(0, 4), totalCount: 15, pageInfo: { hasNextPage: true } },
        oldest: { nodes: newest.slice(-4), pageInfo: { hasPreviousPage: true } },
        pending: { totalCount: 5 },
      },
      other: { executions: { nodes: [], totalCount: 0 } },
    });
  });
});
