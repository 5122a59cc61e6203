import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { CreateJobInput } from '../../../src/commands/jobs/create-job.ts';
import { checkHistory } from '../../support/history.ts';
import { createJob, LEASE_MS, trigger, type TestInstance } from '../../support/instance.ts';
import { onStatements, type Send } from '../../support/on-statements.ts';
import { executionsOf } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';

const scene = useScene();

/** Drops the answer to its first claim. The database executes the claim. */
function loseFirstClaim(instance: TestInstance): void {
  let claims = 0;
  onStatements(instance.pool, 'claim-', async (send) => {
    const answer = await send();
    claims += 1;
    if (claims === 1) throw new Error('Connection terminated unexpectedly');
    return answer;
  });
}

async function pendingRun(
  instance: TestInstance,
  input: Partial<CreateJobInput> = {},
): Promise<{ id: string }> {
  const job = await createJob(instance, {
    api: `${scene.target.url}/work`,
    schedule: null,
    type: 'ATMOST_ONCE',
    ...input,
  });
  await trigger(instance, job);
  return job;
}

async function passAndLook({ lostClaims, settler }: TestInstance, ms = 1_000): Promise<void> {
  scene.clock.advance(ms);
  await nextTurn();
  await lostClaims.runOnce();
  await settler.idle();
}

describe('a claim whose answer was lost', () => {
  it('is given back after a second, and its call is made', async () => {
    const instance = scene.instance();
    const job = await pendingRun(instance);
    loseFirstClaim(instance);
    await expect(instance.worker.runOnce()).rejects.toThrow('Connection terminated');
    await passAndLook(instance, 999);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'RUNNING', attempt_count: 1 }]);
    await passAndLook(instance, 1);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      { status: 'PENDING', attempt_count: 0, started_at: null, rescue_count: 0 },
    ]);
    await instance.work();
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'SUCCESS', attempt_count: 1 }]);
    expect(await checkHistory(scene.pool, scene.target.calls)).toMatchObject({ executions: 1, calls: 1 });
  });

  it('is found as well when the database executes its statement later', async () => {
    const instance = scene.instance();
    const job = await pendingRun(instance);
    let carryOut: Send = () => Promise.reject(new Error('Nothing was claimed'));
    onStatements(instance.pool, 'claim-', (send) => {
      carryOut = send;
      return Promise.reject(new Error('Query read timeout'));
    });
    await expect(instance.worker.runOnce()).rejects.toThrow('Query read timeout');
    await passAndLook(instance);
    await carryOut();
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'RUNNING' }]);
    await passAndLook(instance, 15_000);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'PENDING' }]);
  });

  it('is not confused with one of the same millisecond that is held', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/work');
    const lost = await pendingRun(instance);
    loseFirstClaim(instance);
    await expect(instance.worker.runOnce()).rejects.toThrow('Connection terminated');
    const kept = await pendingRun(instance);
    await instance.worker.runOnce();
    await passAndLook(instance);
    expect(await executionsOf(scene.pool, lost.id)).toMatchObject([{ status: 'PENDING' }]);
    expect(await executionsOf(scene.pool, kept.id)).toMatchObject([{ status: 'RUNNING' }]);
    gate.open();
    await instance.work();
    expect(await checkHistory(scene.pool, scene.target.calls)).toMatchObject({ executions: 2, calls: 2 });
  });

  it('is not looked up while the answer to another one of the same millisecond may still arrive', async () => {
    const instance = scene.instance();
    const job = await pendingRun(instance);
    const lease = new Date(scene.clock.now().getTime() + LEASE_MS);
    await expect(
      instance.lostClaims.watch(lease, () => Promise.reject(new Error('Query read timeout'))),
    ).rejects.toThrow('Query read timeout');
    let answer: () => void = () => undefined;
    const coming = new Promise<void>((resolve) => (answer = resolve));
    const claiming = instance.lostClaims.watch(lease, () => coming);
    loseFirstClaim(instance);
    await expect(instance.worker.runOnce()).rejects.toThrow('Connection terminated');
    await passAndLook(instance);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'RUNNING' }]);
    answer();
    await claiming;
    await passAndLook(instance);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'PENDING' }]);
  });

  it('is given back after an outage of the database that is longer than its lease, and then not looked up again', async () => {
    const instance = scene.instance();
    const job = await pendingRun(instance);
    loseFirstClaim(instance);
    await expect(instance.worker.runOnce()).rejects.toThrow('Connection terminated');
    let looks = 0;
    let isAway = true;
    onStatements(instance.pool, 'find-claims-made-at', (send) => {
      looks += 1;
      return isAway ? Promise.reject(new Error('Connection terminated unexpectedly')) : send();
    });
    await expect(passAndLook(instance, LEASE_MS)).rejects.toThrow('Connection terminated');
    isAway = false;
    await passAndLook(instance);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'PENDING', rescue_count: 0 }]);
    await passAndLook(instance);
    expect(looks).toBe(2);
  });

  it('is ignored when the database reports that it executed nothing', async () => {
    const instance = scene.instance();
    let looks = 0;
    onStatements(instance.pool, 'find-claims-made-at', (send) => {
      looks += 1;
      return send();
    });
    const lease = new Date(scene.clock.now().getTime() + LEASE_MS);
    const refusal = Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' });
    await expect(instance.lostClaims.watch(lease, () => Promise.reject(refusal))).rejects.toBe(refusal);
    await passAndLook(instance);
    expect(looks).toBe(0);
  });

  it('is not confused with one that was called and whose outcome could not be recorded', async () => {
    const instance = scene.instance();
    const job = await pendingRun(instance);
    let settles = 0;
    onStatements(instance.pool, 'settle', (send) => {
      settles += 1;
      return settles === 1 ? Promise.reject(new Error('Connection terminated unexpectedly')) : send();
    });
    instance.settler.giveUp();
    await instance.work();
    expect(instance.errors).toMatchObject([{ message: 'Connection terminated unexpectedly' }]);
    const lease = new Date(scene.clock.now().getTime() + LEASE_MS);
    const noAnswer = () => Promise.reject(new Error('Query read timeout'));
    await expect(instance.lostClaims.watch(lease, noAnswer)).rejects.toThrow('Query read timeout');
    await passAndLook(instance);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'RUNNING', attempt_count: 1 }]);
    expect(instance.worker.held()).toEqual([]);
  });

  it('is not confused with one that has started to wait for its callback since the lookup', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/work', 202);
    const job = await pendingRun(instance, { completion: 'CALLBACK' });
    await instance.worker.runOnce();
    await scene.target.received('/work');
    const lease = new Date(scene.clock.now().getTime() + LEASE_MS);
    const noAnswer = () => Promise.reject(new Error('Query read timeout'));
    await expect(instance.lostClaims.watch(lease, noAnswer)).rejects.toThrow('Query read timeout');
    onStatements(instance.pool, 'find-claims-made-at', async (send) => {
      const found = await send();
      gate.open();
      await instance.worker.drained();
      return found;
    });
    await passAndLook(instance);
    const [row] = await executionsOf(scene.pool, job.id);
    expect(row).toMatchObject({ status: 'RUNNING', attempt_count: 1 });
    expect(row?.['callback_deadline_at']).toBeInstanceOf(Date);
  });

  it('is given back at once on stop, which waits for the database and the record', async () => {
    const instance = scene.instance();
    const job = await pendingRun(instance);
    loseFirstClaim(instance);
    await expect(instance.worker.runOnce()).rejects.toThrow('Connection terminated');
    await nextTurn();
    let looks = 0;
    onStatements(instance.pool, 'find-claims-made-at', (send) => {
      looks += 1;
      return looks === 1 ? Promise.reject(new Error('Connection terminated unexpectedly')) : send();
    });
    await instance.lostClaims.end();
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'PENDING', attempt_count: 0 }]);
  });
});
