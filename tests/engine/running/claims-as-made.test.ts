import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import {
  CALLER,
  createJob,
  LEASE_MS,
  reference,
  trigger,
  type TestInstance,
} from '../../support/instance.ts';
import { triggerJob } from '../../../src/commands/executions/trigger-job.ts';
import type { ClaimAsMade } from '../../../src/store/executions/manual-runs.ts';
import { createClaimsAsMade } from '../../../src/engine/running/claims-as-made.ts';
import { checkHistory } from '../../support/history.ts';
import { plus, START } from '../../support/manual-clock.ts';
import { eventsOf, executionsOf, insertExecution, readExecution } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { until } from '../../support/until.ts';

const scene = useScene();

async function jobOf(instance: TestInstance, overrides: Parameters<typeof createJob>[1] = {}) {
  return createJob(instance, { api: `${scene.target.url}/hook`, schedule: null, ...overrides });
}

describe('a run by hand', () => {
  it('is claimed by the statement that makes it, and called with its own body', async () => {
    const instance = scene.instance({ claimsAsMade: true });
    const gate = scene.target.gate('/hook');
    const job = await jobOf(instance, {
      method: 'POST',
      body: { of: 'the job' },
      retryPolicy: { maxRetries: 2 },
    });
    instance.wakeUps.woken.length = 0;
    const result = await instance.commands.triggerJob(CALLER, {
      ...reference(job),
      body: { of: 'this run' },
    });
    const [row] = await executionsOf(scene.pool, job.id);
    expect(result).toMatchObject({ ok: true, value: { created: true, executionId: row?.['id'] } });
    expect(row).toMatchObject({
      status: 'RUNNING',
      claimed_by: instance.instanceId,
      claim_seq: 1,
      attempt_count: 1,
      max_attempts: 3,
      started_at: START,
      attempt_started_at: START,
      lease_expires_at: plus(START, LEASE_MS),
      lateness_ms: null,
    });
    // Followers are told, and no worker.
    expect(instance.wakeUps.woken).toEqual(['events']);
    await scene.target.received('/hook');
    gate.open();
    await instance.worker.drained();
    expect(scene.target.calls.map(({ body }) => body)).toEqual(['{"of":"this run"}']);
    expect((await eventsOf(scene.pool, job.id)).map(({ kind, attempt }) => [kind, attempt])).toEqual([
      ['JOB_CREATED', null],
      ['EXECUTION_PLANNED', null],
      ['EXECUTION_STARTED', 1],
      ['EXECUTION_SUCCEEDED', 1],
    ]);
    expect(await checkHistory(scene.pool, scene.target.calls)).toMatchObject({ executions: 1, calls: 1 });
  });

  it('has the same columns as one that was made first and claimed then', async () => {
    const [atOnce, later] = [
      scene.instance({ claimsAsMade: true, instanceId: 'x' }),
      scene.instance({ instanceId: 'x' }),
    ];
    const gate = scene.target.gate('/hook');
    const job = await jobOf(atOnce, { retryPolicy: null });
    await trigger(atOnce, job);
    await trigger(later, job);
    await later.worker.runOnce();
    await scene.target.received('/hook', 2);
    const [one, other] = await executionsOf(scene.pool, job.id);
    expect({ ...one, id: '' }).toEqual({ ...other, id: '' });
    gate.open();
    await Promise.all([atOnce.worker.drained(), later.worker.drained()]);
  });

  it.each([
    ['its host has no place left', { host: null, executions: 1 }],
    ['others wait for a place, if at another host', { host: 'other.test', executions: 3 }],
  ])('waits for a claim where %s', async (_, { host, executions }) => {
    const instance = scene.instance({ claimsAsMade: true, maxConcurrencyPerHost: 1 });
    const gate = scene.target.gate('/hook');
    const job = await jobOf(instance);
    for (let n = 0; n < executions; n += 1)
      await insertExecution(scene.pool, job.id, 'PENDING', { host: host ?? new URL(scene.target.url).host });
    await instance.worker.runOnce();
    instance.wakeUps.woken.length = 0;
    await expectPending(await trigger(instance, job));
    expect(instance.wakeUps.woken).toContain('executions');
    gate.open();
    await instance.worker.drained();
  });

  it('waits for a claim where the instance has stopped', async () => {
    const instance = scene.instance({ claimsAsMade: true });
    await instance.worker.stop();
    await expectPending(await trigger(instance, await jobOf(instance)));
  });

  it('is made once, and claimed once, under one idempotency key, however many ask for it at once', async () => {
    const instance = scene.instance({ claimsAsMade: true });
    const job = await jobOf(instance);
    const ask = () => instance.commands.triggerJob(CALLER, { ...reference(job), idempotencyKey: 'once' });
    const results = await Promise.all([ask(), ask(), ask(), ask()]);
    await instance.claims.idle();
    expect(new Set(results.map((result) => result.ok && result.value.executionId)).size).toBe(1);
    expect(results.filter((result) => result.ok && result.value.created)).toHaveLength(1);
    await instance.worker.drained();
    expect(scene.target.calls).toHaveLength(1);
  });

  it('is answered before its call begins, which a stop waits for', async () => {
    const instance = scene.instance({ claimsAsMade: true });
    await trigger(instance, await jobOf(instance));
    expect(instance.worker.held()).toEqual([]);
    await instance.claims.idle();
    expect(instance.worker.held()).toHaveLength(1);
    await instance.worker.drained();
    expect(scene.target.calls).toHaveLength(1);
  });

  it.each([
    ['is given back where the answer of its statement was lost', false],
    ['goes on where its statement left it to a claim and the answer was lost', true],
  ])('%s', async (_, isLeft) => {
    const instance = scene.instance();
    const job = await jobOf(instance, { type: 'ATMOST_ONCE' });
    const gate = scene.target.gate('/hook');
    const claims = createClaimsAsMade({
      worker: {
        hostsFullFor: () => (isLeft ? [new URL(scene.target.url).host] : []),
        take: () => undefined,
      },
      lostClaims: instance.lostClaims,
      clock: scene.clock,
      instanceId: instance.instanceId,
      leaseMs: LEASE_MS,
      isRunning: () => true,
    });
    const claimAsMade: ClaimAsMade = (executionId, make) =>
      claims.claimAsMade(executionId, async (terms) => {
        await make(terms);
        // Within the same millisecond.
        if (isLeft) await instance.worker.runOnce();
        throw new Error('The connection was lost');
      });
    await expect(
      triggerJob({ ...instance.commandDeps, claimAsMade }, CALLER, reference(job)),
    ).rejects.toThrow('The connection was lost');
    await claims.idle();
    await nextTurn();
    scene.clock.advance(1_000);
    await instance.lostClaims.runOnce();
    await instance.settler.idle();
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      isLeft ? { status: 'RUNNING' } : { status: 'PENDING', attempt_count: 0, started_at: null },
    ]);
    gate.open();
    await instance.work();
    expect(scene.target.calls).toHaveLength(1);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'SUCCESS' }]);
  });

  it('is answered also where what its statement has claimed cannot be taken', async () => {
    const instance = scene.instance();
    let takes = 0;
    const claims = createClaimsAsMade({
      worker: {
        hostsFullFor: () => [],
        take: () => {
          takes += 1;
          throw new Error('Refused by a test.');
        },
      },
      lostClaims: instance.lostClaims,
      clock: scene.clock,
      instanceId: instance.instanceId,
      leaseMs: LEASE_MS,
      isRunning: () => true,
    });
    const deps = { ...instance.commandDeps, claimAsMade: claims.claimAsMade };
    const job = await jobOf(instance);
    expect(await triggerJob(deps, CALLER, reference(job))).toMatchObject({ ok: true });
    // Not by asking for `idle`, which would handle a rejection that nobody else does.
    await until(() => takes === 1);
    // Whoever finds its lease ended takes it over.
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      { status: 'RUNNING', lease_expires_at: plus(START, LEASE_MS) },
    ]);
  });

  it('takes no more places than its host has, however many are made at once', async () => {
    const instance = scene.instance({ claimsAsMade: true, maxConcurrencyPerHost: 3 });
    const gate = scene.target.gate('/hook');
    const job = await jobOf(instance);
    await Promise.all(Array.from({ length: 12 }, () => trigger(instance, job)));
    await instance.claims.idle();
    expect(instance.worker.held()).toHaveLength(3);
    gate.open();
    await instance.worker.drained();
  });

  it('takes no more places than there are, however many are made at once', async () => {
    const instance = scene.instance({ claimsAsMade: true, maxConcurrency: 5 });
    const gate = scene.target.gate('/hook');
    const job = await jobOf(instance);
    const ids = await Promise.all(Array.from({ length: 12 }, () => trigger(instance, job)));
    await instance.claims.idle();
    const rows = await Promise.all(ids.map((id) => readExecution(scene.pool, id)));
    // Of five places one is kept for hosts at which nothing is under way.
    expect(rows.filter(({ status }) => status === 'RUNNING')).toHaveLength(4);
    expect(instance.worker.held()).toHaveLength(4);
    gate.open();
    await instance.worker.drained();
    await instance.work();
    await until(() => scene.target.calls.length === 12);
  });
});

async function expectPending(id: string): Promise<void> {
  expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'PENDING', attempt_count: 0 });
}
