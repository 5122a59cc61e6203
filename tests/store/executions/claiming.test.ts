import { describe, expect, it } from 'vitest';
import type { ClaimedExecution } from '../../../src/store/executions/claimed-rows.ts';
import { extendLeases } from '../../../src/store/executions/leases.ts';
import { claimFor } from '../../support/claims.ts';
import { LEASE_MS } from '../../support/instance.ts';
import { START, plus } from '../../support/manual-clock.ts';
import { insertExecution, insertJob, readExecution, RETRIES } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';

const scene = useScene();

function claim(now = START): Promise<ClaimedExecution[]> {
  return claimFor(scene.pool, 'an-instance', now);
}

describe('what is claimed', () => {
  it('has all that its attempt needs of its own job, in the order in which it is to be called', async () => {
    const plain = await insertJob(scene.pool, { name: 'Plain', api: 'http://a.test/plain' });
    const rich = await insertJob(scene.pool, {
      name: 'Rich “€”',
      api: 'http://b.test/rich',
      method: 'PUT',
      type: 'ATMOST_ONCE',
      headers: { 'x-a': 'b' },
      body: JSON.stringify({ list: [1, 'two', null], none: null }),
      timeout_ms: 1_234,
      success_statuses: ['2xx', '404'],
      completion: 'CALLBACK',
      completion_timeout_ms: 5_678,
      ...RETRIES,
      retry_jitter: 0.1,
    });
    const last = await insertExecution(scene.pool, plain, 'PENDING', { host: 'a.test' });
    const first = await insertExecution(scene.pool, rich, 'PENDING', { host: 'b.test', priority: 2 });
    const second = await insertExecution(scene.pool, plain, 'PENDING', { host: 'a.test', priority: 1 });
    const started = { startedAt: START, attemptStartedAt: START, attemptCount: 1, claimSeq: 1 };
    const unslotted = { trigger: 'MANUAL', scheduledAt: null, retryCount: 0, rescueCount: 0, upstream: null };
    const ofPlain = {
      ...started,
      ...unslotted,
      jobId: plain,
      host: 'a.test',
      jobName: 'Plain',
      jobType: 'ATLEAST_ONCE',
      api: 'http://a.test/plain',
      method: 'GET',
      headers: {},
      body: null,
      successStatuses: ['2xx'],
      completion: 'RESPONSE',
      retryPolicy: null,
    };
    const claimed = await claim();
    expect(claimed).toEqual([
      {
        ...started,
        ...unslotted,
        id: first,
        jobId: rich,
        host: 'b.test',
        jobName: 'Rich “€”',
        jobType: 'ATMOST_ONCE',
        api: 'http://b.test/rich',
        method: 'PUT',
        headers: { 'x-a': 'b' },
        body: { list: [1, 'two', null], none: null },
        timeoutMs: 1_234,
        successStatuses: ['2xx', '404'],
        completion: 'CALLBACK',
        completionTimeoutMs: 5_678,
        retryPolicy: {
          maxRetries: 3,
          backoffStrategy: 'FIXED',
          initialDelayMs: 1_000,
          maxDelayMs: 60_000,
          jitter: 0.1,
          retryOn: ['5xx'],
          respectRetryAfter: true,
        },
      },
      expect.objectContaining({ id: second, ...ofPlain }),
      expect.objectContaining({ id: last, ...ofPlain }),
    ]);
    expect(claimed[1]?.headers).toBe(claimed[2]?.headers);
  });

  it.each([
    { what: 'its own', override: { own: true }, body: { own: true } },
    { what: 'none, by JSON’s null', override: null, body: null },
  ])('has a body of its execution where there is one: $what', async ({ override, body }) => {
    const job = await insertJob(scene.pool, { method: 'POST', body: { of: 'the job' } });
    const replaced = await insertExecution(scene.pool, job, 'PENDING', {
      body_override: JSON.stringify(override),
      priority: 1,
    });
    const kept = await insertExecution(scene.pool, job, 'PENDING');
    expect((await claim()).map((execution) => [execution.id, execution.body])).toEqual([
      [replaced, body],
      [kept, { of: 'the job' }],
    ]);
  });

  it('keeps when it began where it is claimed again', async () => {
    const job = await insertJob(scene.pool, RETRIES);
    const retry = { started_at: plus(START, -5_000), attempt_count: 1, retry_count: 1, claim_seq: 1 };
    await insertExecution(scene.pool, job, 'RETRYING', retry);
    expect(await claim(plus(START, 1))).toMatchObject([
      {
        startedAt: plus(START, -5_000),
        attemptStartedAt: plus(START, 1),
        attemptCount: 2,
        retryCount: 1,
        claimSeq: 2,
      },
    ]);
  });

  it.each([
    { what: 'its own body may ask for it', override: { of: '{{trigger.body}}' }, isRead: true },
    {
      what: 'its own body asks for nothing, though the job’s does',
      override: { of: 'itself' },
      isRead: false,
    },
  ])('knows what set it off where $what', async ({ override, isRead }) => {
    const [up, down] = [
      await insertJob(scene.pool),
      await insertJob(scene.pool, { method: 'POST', body: { of: isRead ? 'the job' : '{{trigger.body}}' } }),
    ];
    const upstream = await insertExecution(scene.pool, up, 'SUCCESS', { response_status: 201 });
    const id = await insertExecution(scene.pool, down, 'PENDING', {
      trigger: 'DEPENDENCY',
      body_override: JSON.stringify(override),
    });
    await scene.pool.query(
      'INSERT INTO job_execution_triggers (execution_id, triggered_by_id) VALUES ($1, $2)',
      [id, upstream],
    );
    const [claimed] = await claim();
    const known = { executionId: upstream, jobId: up, status: 'SUCCESS', responseStatus: 201, body: 'ok' };
    expect(claimed?.upstream).toEqual(isRead ? known : null);
  });

  it('is nothing where nothing is due', async () => {
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, 'PENDING', { available_at: plus(START, 1) });
    expect(await claim()).toEqual([]);
  });
});

describe('the lease of a claim', () => {
  it('lasts by the database’s clock where the instance’s is behind, as after its machine has slept', async () => {
    const behind = new Date(Date.now() - 3_600_000);
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, 'PENDING', { at: behind });
    await claim(behind);
    expect(await leftMs(id)).toBeGreaterThan(LEASE_MS - 5_000);
    await scene.pool.query(`UPDATE job_executions SET lease_expires_at = now() WHERE id = $1`, [id]);
    const held = [{ executionId: id, claimSeq: 1 }];
    await extendLeases(scene.pool, held, { now: behind, leaseMs: LEASE_MS, leastMs: 1_000 });
    expect(await leftMs(id)).toBeGreaterThan(LEASE_MS - 5_000);
  });
});

async function leftMs(id: string): Promise<number> {
  const { lease_expires_at } = await readExecution(scene.pool, id);
  return (lease_expires_at as Date).getTime() - Date.now();
}
