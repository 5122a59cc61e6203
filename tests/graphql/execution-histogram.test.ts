import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { readExecutionHistogram } from '../../src/store/metrics/execution-histogram.ts';
import { EVERYTHING } from '../../src/domain/values/condition.ts';
import { plus, START } from '../support/manual-clock.ts';
import { insertExecution, insertJob } from '../support/rows.ts';
import { insertJobTags } from '../support/tags.ts';
import { type ApiHarness, createApiHarness } from './api-harness.ts';

const MINUTE_MS = 60_000;
const QUERY = `query ($from: DateTime!, $to: DateTime!, $bucketMs: Int!, $where: ExecutionWhere) {
  executionHistogram(from: $from, to: $to, bucketMs: $bucketMs, where: $where) {
    from to success failed cancelled skipped unfinished
  }
}`;

type Bucket = { from: string; to: string } & Record<string, number>;

let api: ApiHarness;
let tagged: string;

beforeAll(async () => {
  api = await createApiHarness();
  tagged = await insertJob(api.pool);
  const other = await insertJob(api.pool);
  await insertJobTags(api.pool, tagged, ['prod']);
  const at = (minute: number, ms = 0) => ({ at: plus(START, minute * MINUTE_MS + ms) });
  await insertExecution(api.pool, tagged, 'SUCCESS', at(0, -1));
  await insertExecution(api.pool, tagged, 'SUCCESS', at(0));
  await insertExecution(api.pool, tagged, 'FAILED', at(0, MINUTE_MS - 1));
  await insertExecution(api.pool, other, 'SUCCESS', at(1));
  await insertExecution(api.pool, other, 'SKIPPED', at(3));
  for (const status of ['PENDING', 'BLOCKED', 'RUNNING', 'RETRYING', 'CANCELLED'] as const)
    await insertExecution(api.pool, other, status, at(3, 500));
  await insertExecution(api.pool, other, 'SUCCESS', at(4));
});
afterAll(async () => {
  await api.close();
});

describe('a histogram', () => {
  it('counts executions in equal buckets, oldest first, empty ones included', async () => {
    const buckets = await histogram(4 * MINUTE_MS, MINUTE_MS);
    expect(buckets.map(({ from, to }) => [Date.parse(from), Date.parse(to)])).toEqual(
      [0, 1, 2, 3].map((n) => [n, n + 1].map((minute) => START.getTime() + minute * MINUTE_MS)),
    );
    expect(buckets.map(counts)).toEqual([
      [1, 1, 0, 0, 0],
      [1, 0, 0, 0, 0],
      [0, 0, 0, 0, 0],
      [0, 0, 1, 1, 4],
    ]);
  });

  it('counts nothing after its end, also when the last bucket is longer', async () => {
    const buckets = await histogram(4 * MINUTE_MS, 3 * MINUTE_MS);
    expect(buckets.map(counts)).toEqual([
      [2, 1, 0, 0, 0],
      [0, 0, 1, 1, 4],
    ]);
    expect(buckets.at(-1)?.to).toBe(plus(START, 6 * MINUTE_MS).toISOString());
  });

  it.each([
    ['jobId', () => ({ jobId: [encodePublicId('Job', tagged)] }), [1, 1, 0, 0, 0]],
    ['tags', () => ({ tags: { hasAny: ['prod'] } }), [1, 1, 0, 0, 0]],
    ['status', () => ({ status: ['PENDING', 'SKIPPED'] }), [0, 0, 0, 1, 1]],
    ['NOT', () => ({ NOT: { failureReason: ['HTTP_STATUS'] } }), [2, 0, 1, 1, 4]],
  ])('counts the executions that %s selects', async (_, where, expected) => {
    const [bucket] = await histogram(4 * MINUTE_MS, 4 * MINUTE_MS, where());
    expect(bucket && counts(bucket)).toEqual(expected);
  });

  it.each([
    [0, MINUTE_MS, 'to: must be after from.'],
    [501, 1, 'bucketMs: cuts the span into 501 buckets; allowed are 500.'],
    [1, 0, 'bucketMs: must be 1 or more.'],
  ])('of %i ms in buckets of %i ms is refused', async (spanMs, bucketMs, message) => {
    const { errors } = await api.execute(QUERY, variables(spanMs, bucketMs));
    expect(errors).toMatchObject([{ message, extensions: { code: 'BAD_USER_INPUT' } }]);
  });

  it('has at most 500 buckets', async () => {
    expect(await histogram(500, 1)).toHaveLength(500);
  });

  it('that takes too long to read is an error, but not a fault', async () => {
    const [blocker, reader] = [await api.pool.connect(), await api.pool.connect()];
    try {
      await blocker.query('BEGIN; LOCK TABLE job_executions');
      await reader.query('SET statement_timeout = 50');
      const span = { from: START, to: plus(START, MINUTE_MS), bucketMs: MINUTE_MS };
      expect(await readExecutionHistogram(reader, span, EVERYTHING)).toBeNull();
    } finally {
      await blocker.query('ROLLBACK');
      blocker.release();
      reader.release(true);
    }
  });
});

function variables(spanMs: number, bucketMs: number, where?: object): Record<string, unknown> {
  return { from: START.toISOString(), to: plus(START, spanMs).toISOString(), bucketMs, where };
}

async function histogram(spanMs: number, bucketMs: number, where?: object): Promise<Bucket[]> {
  const data = await api.query<{ executionHistogram: Bucket[] }>(QUERY, variables(spanMs, bucketMs, where));
  return data.executionHistogram;
}

function counts({ success, failed, cancelled, skipped, unfinished }: Bucket): unknown[] {
  return [success, failed, cancelled, skipped, unfinished];
}
