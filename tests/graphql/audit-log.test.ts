import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { clearJobs, START } from '../commands/harness.ts';
import { insertJob, insertRow, type Row } from '../support/rows.ts';
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

const jobIdOf = (id: string) => encodePublicId('Job', id);
const at = (minute: number) => new Date(Date.UTC(2025, 2, 1, 10, minute));
const instant = (minute: number) => at(minute).toISOString();

/** An entry at its own minute. Returns its public id. */
async function insertEntry(jobId: string | null, minute: number, facts: Row = {}): Promise<string> {
  const row = await insertRow(api.pool, 'job_audit_log', {
    id: crypto.randomUUID(),
    at: at(minute),
    action: 'UPDATED',
    actor: 'ada',
    job_id: jobId,
    ...facts,
  });
  return encodePublicId('AuditLogEntry', row['id'] as string);
}

interface Listed {
  auditLog: {
    totalCount: number;
    nodes: { id: string }[];
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
  };
}
const LIST = /* GraphQL */ `
  query ($where: AuditLogWhere, $first: Int, $after: String, $last: Int, $before: String) {
    auditLog(where: $where, first: $first, after: $after, last: $last, before: $before) {
      totalCount
      nodes {
        id
      }
      pageInfo {
        hasNextPage
        endCursor
      }
    }
  }
`;
const listed = async (variables: Record<string, unknown> = {}) =>
  (await api.query<Listed>(LIST, variables)).auditLog.nodes.map(({ id }) => id);

describe('auditLog', () => {
  it('shows the action, the actor and the origin, and is found as a node', async () => {
    const job = await insertJob(api.pool, { name: 'Report' });
    const id = await insertEntry(job, 0, {
      action: 'PAUSED',
      before: { status: 'ACTIVE' },
      after: { status: 'PAUSED' },
      request_id: 'request-7',
      address: '10.0.0.7',
    });
    const fields = '__typename id at action actor job { id name } before after requestId address';
    const entry = {
      __typename: 'AuditLogEntry',
      id,
      at: instant(0),
      action: 'PAUSED',
      actor: 'ada',
      job: { id: jobIdOf(job), name: 'Report' },
      before: { status: 'ACTIVE' },
      after: { status: 'PAUSED' },
      requestId: 'request-7',
      address: '10.0.0.7',
    };
    expect(id).toMatch(/^audit_[0-9a-z]{26}$/);
    expect(
      await api.query(
        `query ($id: ID!) { auditLog { nodes { ${fields} } } node(id: $id) { ... on AuditLogEntry { ${fields} } } }`,
        { id },
      ),
    ).toEqual({ auditLog: { nodes: [entry] }, node: entry });
  });

  it('shows a mutation as soon as it is answered', async () => {
    const { createJob } = await api.query<{ createJob: { job: { auditLog: unknown } } }>(
      `mutation { createJob(input: { name: "New", api: "http://a.test/" }) { job { auditLog { nodes { action actor after } } } } }`,
    );
    expect(createJob.job.auditLog).toEqual({
      nodes: [
        { action: 'CREATED', actor: 'ada', after: expect.objectContaining({ name: 'New' }) as unknown },
      ],
    });
  });

  it('keeps the entries of a deleted job', async () => {
    await insertEntry(null, 0);
    expect(await api.query('{ auditLog { nodes { actor job { id } } } }')).toEqual({
      auditLog: { nodes: [{ actor: 'ada', job: null }] },
    });
  });

  it('is newest first, and paged in both directions', async () => {
    const job = await insertJob(api.pool);
    const ids: string[] = [];
    for (let minute = 0; minute < 5; minute += 1) ids.unshift(await insertEntry(job, minute));
    const first = (await api.query<Listed>(LIST, { first: 2 })).auditLog;
    expect(first).toMatchObject({ totalCount: 5, pageInfo: { hasNextPage: true } });
    expect(first.nodes.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(await listed({ first: 3, after: first.pageInfo.endCursor })).toEqual(ids.slice(2));
    expect(await listed({ last: 2 })).toEqual(ids.slice(3));
  });

  it('selects by job, action, actor and time', async () => {
    const [one, other] = [await insertJob(api.pool), await insertJob(api.pool)];
    const created = await insertEntry(one, 0, { action: 'CREATED' });
    const paused = await insertEntry(one, 1, { action: 'PAUSED', actor: 'bob@example.com' });
    const deleted = await insertEntry(other, 2, { action: 'DELETED' });
    const jobless = await insertEntry(null, 3, { actor: 'scheduler' });
    const where = (filter: object) => listed({ where: filter });
    expect(await where({ jobId: [jobIdOf(one)] })).toEqual([paused, created]);
    expect(await where({ jobId: ['job_nonsense'] })).toEqual([]);
    expect(await where({ action: ['CREATED', 'DELETED'] })).toEqual([deleted, created]);
    expect(await where({ actor: { eq: 'ada' } })).toEqual([deleted, created]);
    expect(await where({ actor: { contains: '@example' } })).toEqual([paused]);
    expect(await where({ at: { gt: instant(0), lt: instant(2) } })).toEqual([paused]);
    expect(await where({ at: { gte: instant(3) } })).toEqual([jobless]);
    expect(
      await where({ jobId: [jobIdOf(one)], action: ['PAUSED'], actor: { in: ['bob@example.com'] } }),
    ).toEqual([paused]);
    expect(await where({})).toHaveLength(4);
  });

  it('refuses an invalid cursor, page or filter', async () => {
    for (const variables of [
      { first: 101 },
      { after: 'nonsense' },
      { where: { jobId: Array.from({ length: 1_001 }, () => 'x') } },
      { where: { actor: { eq: '\0' } } },
    ]) {
      const { errors } = await api.execute(LIST, variables);
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    }
  });
});

describe('a job’s audit log', () => {
  const OF_JOBS = /* GraphQL */ `
    {
      jobs(first: 100) {
        nodes {
          id
          auditLog(first: 2) {
            totalCount
            nodes {
              id
              job {
                name
              }
            }
            pageInfo {
              hasNextPage
            }
          }
        }
      }
    }
  `;
  interface OfJobs {
    jobs: { nodes: { id: string; auditLog: { totalCount: number; nodes: { id: string }[] } }[] };
  }

  it('has the entries of that job, newest first, and continues after a cursor', async () => {
    const [job, other] = [await insertJob(api.pool), await insertJob(api.pool)];
    const ids = [await insertEntry(job, 0), await insertEntry(job, 1), await insertEntry(job, 2)].reverse();
    await insertEntry(other, 3);
    interface Page {
      job: { auditLog: { totalCount: number; nodes: { id: string }[]; pageInfo: { endCursor: string } } };
    }
    const page = async (args: string) => {
      const { auditLog } = (
        await api.query<Page>(
          `query ($id: ID) { job(id: $id) { auditLog(${args}) { totalCount nodes { id } pageInfo { endCursor } } } }`,
          { id: jobIdOf(job) },
        )
      ).job;
      return { ...auditLog, ids: auditLog.nodes.map(({ id }) => id) };
    };
    const first = await page('first: 2');
    expect(first).toMatchObject({ totalCount: 3, ids: ids.slice(0, 2) });
    const rest = await page(`after: "${first.pageInfo.endCursor}"`);
    expect(rest).toMatchObject({ totalCount: 3, ids: ids.slice(2) });
    expect((await page('last: 1')).ids).toEqual(ids.slice(2));
  });

  it('costs the same number of statements for any number of jobs', async () => {
    const addJob = async () => {
      const job = await insertJob(api.pool);
      for (let minute = 0; minute < 3; minute += 1) await insertEntry(job, minute);
    };
    const ask = async () => {
      api.takeStatements();
      const { jobs } = await api.query<OfJobs>(OF_JOBS);
      return { nodes: jobs.nodes, statements: api.takeStatements() };
    };
    await addJob();
    const one = await ask();
    for (let more = 0; more < 9; more += 1) await addJob();
    const ten = await ask();
    expect(ten.statements.length).toBe(one.statements.length);
    expect(ten.nodes).toHaveLength(10);
    for (const { auditLog } of ten.nodes) {
      expect(auditLog).toMatchObject({ totalCount: 3, pageInfo: { hasNextPage: true } });
      expect(auditLog.nodes).toHaveLength(2);
    }
  });
});
