import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createPool } from '../../../src/database/pool.ts';
import { createLeaseKeeper } from '../../../src/engine/upkeep/lease-keeper.ts';
import type { HeldClaim } from '../../../src/store/executions/leases.ts';
import type { Queryable } from '../../../src/store/statements/sql.ts';
import { LEASE_MS } from '../../support/instance.ts';
import { plus } from '../../support/manual-clock.ts';
import { watchTicks } from '../../support/rests.ts';
import { insertExecution, insertJob, insertRow, readExecution } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { startSilentProxy } from '../../support/silent-proxy.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
/** The keeper's time of the query, by its monotonic clock. */
const ASKED_MS = 5_000;

describe('the lease keeper', () => {
  it('extends the leases of all executions that its instance holds, and no others', async () => {
    const instance = scene.instance();
    scene.target.script('/slow', 'hang');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/slow` });
    const mine = [
      await insertExecution(scene.pool, job, 'PENDING'),
      await insertExecution(scene.pool, job, 'PENDING'),
    ];
    const others = await insertExecution(scene.pool, job, 'RUNNING');
    await instance.worker.runOnce();
    const now = scene.clock.advance(LEASE_MS / 2);
    await instance.leaseKeeper.runOnce();
    for (const id of mine) {
      expect(await readExecution(scene.pool, id)).toMatchObject({ lease_expires_at: plus(now, LEASE_MS) });
    }
    expect(await readExecution(scene.pool, others)).toMatchObject({
      lease_expires_at: plus(now, LEASE_MS / 2),
    });
  });

  it('skips a lease that still has three quarters left at the next check', async () => {
    const job = await insertJob(scene.pool);
    const claim = async (leftMs: number): Promise<HeldClaim> => ({
      executionId: await insertExecution(scene.pool, job, 'RUNNING', {
        lease_expires_at: plus(scene.clock.now(), leftMs),
      }),
      claimSeq: 1,
    });
    const leaseMs = 30_000;
    const [long, short] = [await claim(0.75 * leaseMs + 1_000), await claim(0.75 * leaseMs + 999)];
    const { ended, deadlines, keeper } = keeperOf(() => [long, short], leaseMs);
    const before = await readExecution(scene.pool, long.executionId);
    await keeper.runOnce();
    expect(await readExecution(scene.pool, long.executionId)).toEqual(before);
    expect(await readExecution(scene.pool, short.executionId)).toMatchObject({
      lease_expires_at: plus(scene.clock.now(), leaseMs),
    });
    expect(ended).toEqual([]);
    // Each gets the new duration of its lease, counted from before the query.
    expect(deadlines.get(long.executionId)).toBe(ASKED_MS + 0.75 * leaseMs + 1_000);
    expect(deadlines.get(short.executionId)).toBe(ASKED_MS + leaseMs);
  });

  it('prevents the rescue of an execution while its call runs', async () => {
    const [instance, other] = [scene.instance(), scene.instance()];
    const gate = scene.target.gate('/slow');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/slow` });
    const id = await insertExecution(scene.pool, job, 'PENDING');
    await instance.worker.runOnce();
    for (let n = 0; n < 10; n += 1) {
      scene.clock.advance(LEASE_MS / 2);
      await instance.leaseKeeper.runOnce();
      await other.rescuer.runOnce();
    }
    gate.open();
    await instance.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS', rescue_count: 0 });
  });

  it('sends no query while nothing is held', async () => {
    const { leaseKeeper, pool } = scene.instance();
    await leaseKeeper.runOnce();
    expect(pool.totalCount).toBe(0);
  });

  it('ends calls that another instance has claimed meanwhile, and calls to cancel; keeps the rest', async () => {
    const job = await insertJob(scene.pool);
    const claim = async (overrides: Record<string, unknown>): Promise<HeldClaim> => ({
      executionId: await insertExecution(scene.pool, job, 'RUNNING', overrides),
      claimSeq: 1,
    });
    const kept = await claim({});
    const lost = await claim({ claim_seq: 2 });
    const cancelled = await claim({ cancel_requested_at: scene.clock.now() });
    const rescued = await claim({ status: 'PENDING', lease_expires_at: null });
    await insertRow(scene.pool, 'job_execution_attempts', {
      execution_id: rescued.executionId,
      number: 1,
      started_at: scene.clock.now(),
      finished_at: scene.clock.now(),
      duration_ms: 0,
      failure_reason: 'INSTANCE_LOST',
      instance_id: 'another-instance',
    });
    const failedByRescuer: HeldClaim = {
      executionId: await insertExecution(scene.pool, job, 'FAILED', {
        failure_reason: 'INSTANCE_LOST',
        attempt_duration_ms: 0,
        log_position: 1,
        log_level: 'ERROR',
        log_message: 'Lost.',
      }),
      claimSeq: 1,
    };
    const gone: HeldClaim = { ...kept, executionId: '00000000-0000-7000-8000-000000000000' };
    const { ended, keeper } = keeperOf(() => [kept, lost, cancelled, rescued, failedByRescuer, gone]);
    await keeper.runOnce();
    expect(ended).toEqual([
      [lost.executionId, 'leaseLost'],
      [cancelled.executionId, 'cancelled'],
      [rescued.executionId, 'leaseLost'],
      [failedByRescuer.executionId, 'leaseLost'],
      [gone.executionId, 'leaseLost'],
    ]);
  });

  it('ignores a call whose callback arrived before its answer', async () => {
    const job = await insertJob(scene.pool);
    const executionId = await insertExecution(scene.pool, job, 'SUCCESS');
    const { ended, keeper } = keeperOf(() => [{ executionId, claimSeq: 1 }]);
    await keeper.runOnce();
    expect(ended).toEqual([]);
  });

  it('ignores a call that ended, or was claimed again, during the query', async () => {
    const job = await insertJob(scene.pool);
    const ended = await insertExecution(scene.pool, job, 'SUCCESS');
    const anew = await insertExecution(scene.pool, job, 'RUNNING', { claim_seq: 2 });
    const asked = [ended, anew].map((executionId) => ({ executionId, claimSeq: 1 }));
    let looks = 0;
    const { ended: endedCalls, keeper } = keeperOf(() => {
      looks += 1;
      return looks === 1 ? asked : [{ executionId: anew, claimSeq: 2 }];
    });
    await keeper.runOnce();
    expect(endedCalls).toEqual([]);
  });

  it('ignores a finished call whose end was recorded at this very moment', async () => {
    const job = await insertJob(scene.pool);
    const executionId = await insertExecution(scene.pool, job, 'FAILED');
    const { ended, keeper } = keeperOf(
      () => [{ executionId, claimSeq: 1 }],
      LEASE_MS,
      scene.pool,
      () => false,
    );
    await keeper.runOnce();
    expect(ended).toEqual([]);
  });

  it('waits for no locked row: the other leases do not depend on it', async () => {
    const job = await insertJob(scene.pool);
    const claim = async (overrides = {}): Promise<HeldClaim> => ({
      executionId: await insertExecution(scene.pool, job, 'RUNNING', overrides),
      claimSeq: 1,
    });
    const [locked, lockedAndCancelled, free] = [
      await claim(),
      await claim({ cancel_requested_at: scene.clock.now() }),
      await claim(),
    ];
    const somebody = await scene.pool.connect();
    const { ended, keeper } = keeperOf(() => [locked, lockedAndCancelled, free]);
    const now = scene.clock.advance(LEASE_MS / 2);
    try {
      await somebody.query('BEGIN');
      await somebody.query('SELECT FROM job_executions WHERE id <> $1 FOR UPDATE', [free.executionId]);
      await keeper.runOnce();
    } finally {
      await somebody.query('ROLLBACK');
      somebody.release();
    }
    expect(await readExecution(scene.pool, free.executionId)).toMatchObject({
      lease_expires_at: plus(now, LEASE_MS),
    });
    expect(ended).toEqual([[lockedAndCancelled.executionId, 'cancelled']]);
  });

  it('retries in time on another connection when its own does not answer', async () => {
    const proxy = await startSilentProxy(scene.connectionString);
    const leaseMs = 2_000;
    const db = createPool({
      connectionString: proxy.connectionString,
      max: 1,
      answerTimeoutMs: 0.4 * leaseMs,
    });
    const job = await insertJob(scene.pool);
    const executionId = await insertExecution(scene.pool, job, 'RUNNING', {
      lease_expires_at: scene.clock.now(),
    });
    const { keeper, errors } = keeperOf(() => [{ executionId, claimSeq: 1 }], leaseMs, db);
    await db.query('SELECT 1');
    proxy.silence();
    keeper.start();
    const renewed = plus(scene.clock.now(), leaseMs).getTime();
    const leaseOf = async () => (await readExecution(scene.pool, executionId))['lease_expires_at'] as Date;
    await until(async () => (await leaseOf()).getTime() === renewed);
    await keeper.stop();
    expect(errors).toMatchObject([{ message: 'Query read timeout' }]);
    await db.end();
    await proxy.close();
  });

  it.each([
    { leaseMs: 30_000, restMs: 1_000 },
    { leaseMs: 900, restMs: 300 },
  ])('checks every $restMs ms when a lease is $leaseMs ms', async ({ leaseMs, restMs }) => {
    const { keeper } = keeperOf(() => [], leaseMs);
    const { rests } = watchTicks();
    keeper.start();
    await until(() => rests.length > 0);
    await keeper.stop();
    expect(rests[0]).toBe(restMs);
  });
});

function keeperOf(
  held: () => HeldClaim[],
  leaseMs = LEASE_MS,
  db: Queryable = scene.pool,
  isCalling = (claim: HeldClaim) => held().some((other) => isDeepStrictEqual(other, claim)),
) {
  const errors: unknown[] = [];
  const ended: [string, string][] = [];
  const deadlines = new Map<string, number>();
  const keeper = createLeaseKeeper({
    db,
    clock: scene.clock,
    worker: {
      held,
      isCalling,
      end: (executionId, reason) => ended.push([executionId, reason]),
      extendLease: ({ executionId }, deadlineMs) => deadlines.set(executionId, deadlineMs),
    },
    leaseMs,
    onError: (error) => errors.push(error),
    monotonicMs: () => ASKED_MS,
  });
  return { ended, errors, deadlines, keeper };
}
