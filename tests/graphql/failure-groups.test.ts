import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { plus, START } from '../support/manual-clock.ts';
import { insertExecution, insertJob } from '../support/rows.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

const QUERY = `query ($since: DateTime!, $where: ExecutionWhere, $open: Boolean, $limit: Int) {
  failureGroups(since: $since, where: $where, openDeadLettersOnly: $open, limit: $limit) {
    job { id name } failureReason responseStatus count firstAt lastAt sample { id responseStatus }
  }
}`;

type Group = {
  job: { id: string; name: string };
  failureReason: string;
  responseStatus: number | null;
  count: number;
  firstAt: string;
  lastAt: string;
  sample: { id: string; responseStatus: number | null };
};

let api: ApiHarness;
let payments: string;
/** By the second of the failure. */
const ids = new Map<number, string>();

beforeAll(async () => {
  api = await createApiHarness();
  payments = await insertJob(api.pool, { name: 'payments' });
  const reports = await insertJob(api.pool, { name: 'reports' });
  const fail = async (job: string, second: number, facts: object) => {
    const at = { at: plus(START, second * 1_000), finished_at: plus(START, second * 1_000) };
    ids.set(second, await insertExecution(api.pool, job, 'FAILED', { ...at, ...facts }));
  };
  await fail(payments, 1, { response_status: 500 });
  await fail(payments, 2, { response_status: 500 });
  await fail(payments, 3, { response_status: 503 });
  await fail(payments, 4, { response_status: 500 });
  await fail(reports, 5, { response_status: null, failure_reason: 'TIMEOUT' });
  await fail(reports, 6, { response_status: null, failure_reason: 'TIMEOUT' });
  await insertExecution(api.pool, payments, 'SUCCESS');
  await api.pool.query('UPDATE failed_jobs_dlq SET discarded_at = $2 WHERE execution_id = $1', [
    ids.get(4),
    plus(START, 10_000),
  ]);
});
afterAll(async () => {
  await api.close();
});

describe('failures', () => {
  it('are grouped by job, reason and status, the largest group first', async () => {
    const found = await groups({});
    expect(found.map(brief)).toEqual([
      ['payments', 'HTTP_STATUS', 500, 3, 1, 4],
      ['reports', 'TIMEOUT', null, 2, 5, 6],
      ['payments', 'HTTP_STATUS', 503, 1, 3, 3],
    ]);
    expect(found[0]?.sample).toEqual({ id: publicId(4), responseStatus: 500 });
  });

  it('count from an instant on, inclusive', async () => {
    expect((await groups({ since: plus(START, 4_000) })).map(brief)).toEqual([
      ['reports', 'TIMEOUT', null, 2, 5, 6],
      ['payments', 'HTTP_STATUS', 500, 1, 4, 4],
    ]);
  });

  it('that are closed are excluded when only open ones are requested', async () => {
    const [, first] = await groups({ open: true });
    expect(first && brief(first)).toEqual(['payments', 'HTTP_STATUS', 500, 2, 1, 2]);
    expect(first?.sample.id).toBe(publicId(2));
  });

  it('are only those that are selected', async () => {
    const where = { jobId: [encodePublicId('Job', payments)], responseStatus: { gte: 501 } };
    expect((await groups({ where })).map(brief)).toEqual([['payments', 'HTTP_STATUS', 503, 1, 3, 3]]);
  });

  it('make at most the requested number of groups, from 1 to 500', async () => {
    expect(await groups({ limit: 1 })).toHaveLength(1);
    for (const limit of [0, 501]) {
      const { errors } = await api.execute(QUERY, { since: START.toISOString(), limit });
      expect(errors).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
    }
  });

  it('are read by one statement, and one more for all jobs and one for all samples', async () => {
    api.takeStatements();
    await groups({});
    expect(api.takeStatements()).toHaveLength(3);
  });
});

async function groups({
  since = START,
  ...rest
}: {
  since?: Date;
  where?: object;
  open?: boolean;
  limit?: number;
}): Promise<Group[]> {
  const variables = { since: since.toISOString(), ...rest };
  return (await api.query<{ failureGroups: Group[] }>(QUERY, variables)).failureGroups;
}

/** First and last as seconds after the start. */
function brief({ job, failureReason, responseStatus, count, firstAt, lastAt }: Group): unknown[] {
  const seconds = [firstAt, lastAt].map((at) => (Date.parse(at) - START.getTime()) / 1_000);
  return [job.name, failureReason, responseStatus, count, ...seconds];
}

function publicId(second: number): string {
  return encodePublicId('Execution', ids.get(second) ?? '');
}
