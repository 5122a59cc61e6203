import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { newUuidV7 } from '../../src/domain/values/uuid-v7.ts';
import { extendLeases } from '../../src/store/executions/leases.ts';
import { settle, settlementRow, type Settlement } from '../../src/store/executions/settling.ts';
import { settleUpstream } from '../../src/store/executions/settling-upstream.ts';
import { insertDependency, satisfactionsOf, triggersOf } from '../support/dependencies.ts';
import { CALLER, LEASE_MS, reference, type TestInstance, trigger } from '../support/instance.ts';
import { START } from '../support/manual-clock.ts';
import {
  count,
  eventsOf,
  executionsOf,
  insertExecution,
  insertJob,
  readExecution,
  RETRIES,
  type Row,
} from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { insertRunning, succeeded } from '../support/settlements.ts';

const scene = useScene();

/** Jobs that call the scene's target, each at its own path. */
async function insertJobs(names: string, overrides: Row = {}): Promise<string[]> {
  const ids: string[] = [];
  for (const name of names) {
    ids.push(await insertJob(scene.pool, { name, api: `${scene.target.url}/${name}`, ...overrides }));
  }
  return ids;
}

/** Runs a job by hand and works until nothing waits any more. Returns the execution's id. */
async function run(instance: TestInstance, jobId: string): Promise<string> {
  const id = await trigger(instance, { id: jobId });
  await workAll(instance);
  return id;
}

async function workAll(instance: TestInstance): Promise<void> {
  while ((await count(scene.pool, `job_executions WHERE status IN ('PENDING', 'RETRYING')`)) > 0) {
    await instance.work();
    scene.clock.advance(1_000);
  }
}

describe('a job that has slots for a while', () => {
  it('forgets what had satisfied it: without slots again, it waits for all upstreams again', async () => {
    const instance = scene.instance();
    const [a = '', b = '', c = ''] = await insertJobs('abc');
    for (const upstream of [a, b]) await insertDependency(scene.pool, c, upstream);
    await run(instance, a);
    expect(await satisfactionsOf(scene.pool, c, [a, b])).toEqual([expect.any(String), null]);

    const change = (input: { schedule?: string | null; name?: string }) =>
      instance.commands.updateJob(CALLER, { ...reference({ id: c }), ...input });
    await change({ name: 'Another name' });
    expect(await satisfactionsOf(scene.pool, c, [a, b])).toEqual([expect.any(String), null]);
    await change({ schedule: '0 0 0 1 1 *' });
    expect(await satisfactionsOf(scene.pool, c, [a, b])).toEqual([null, null]);
    await change({ schedule: null });
    await run(instance, b);
    expect(await executionsOf(scene.pool, c)).toEqual([]);
    await run(instance, a);
    expect(await executionsOf(scene.pool, c)).toHaveLength(1);
  });
});

describe('a job without slots', () => {
  it('runs when its upstream job has succeeded', async () => {
    const instance = scene.instance();
    const [a = ''] = await insertJobs('a');
    const [b = ''] = await insertJobs('b', { ...RETRIES, max_retries: 2, priority: 7 });
    await insertDependency(scene.pool, b, a);
    const upstream = await trigger(instance, { id: a });
    await instance.work();

    const [downstream] = await executionsOf(scene.pool, b);
    const end = await readExecution(scene.pool, upstream);
    expect(downstream).toMatchObject({
      status: 'PENDING',
      trigger: 'DEPENDENCY',
      scheduled_at: null,
      created_at: end['finished_at'],
      available_at: end['finished_at'],
      priority: 7,
      max_attempts: 3,
    });
    expect(await triggersOf(scene.pool, downstream?.['id'] as string)).toEqual([upstream]);
    const events = await eventsOf(scene.pool);
    expect(events.slice(-2)).toMatchObject([
      { kind: 'EXECUTION_SUCCEEDED', job_id: a },
      { kind: 'EXECUTION_PLANNED', job_id: b, trigger: 'DEPENDENCY', status: 'PENDING' },
    ]);
    expect(instance.wakeUps.woken.slice(-2)).toEqual(['executions', 'events']);
    await instance.work();
    expect(scene.target.callsTo('/b')).toHaveLength(1);
  });

  it('runs once when both of its upstream jobs have ended, and again only after both ended again', async () => {
    const instance = scene.instance();
    const [a = '', b = '', c = ''] = await insertJobs('abc');
    await insertDependency(scene.pool, c, a);
    await insertDependency(scene.pool, c, b);
    const ends = [await run(instance, a), await run(instance, a), await run(instance, b)];
    const [first] = await executionsOf(scene.pool, c);
    expect(await triggersOf(scene.pool, first?.['id'] as string)).toEqual(ends.slice(1).sort());
    expect(await satisfactionsOf(scene.pool, c, [a, b])).toEqual([null, null]);

    const again = await run(instance, b);
    expect(await executionsOf(scene.pool, c)).toHaveLength(1);
    expect(await satisfactionsOf(scene.pool, c, [a, b])).toEqual([null, again]);
    await run(instance, a);
    expect(await executionsOf(scene.pool, c)).toHaveLength(2);
  });

  it('runs once at the foot of a diamond', async () => {
    const instance = scene.instance();
    const [a = '', b = '', c = '', d = ''] = await insertJobs('abcd');
    await insertDependency(scene.pool, b, a);
    await insertDependency(scene.pool, c, a);
    await insertDependency(scene.pool, d, b);
    await insertDependency(scene.pool, d, c);
    for (let round = 1; round <= 3; round += 1) {
      await run(instance, a);
      expect(await executionsOf(scene.pool, d)).toHaveLength(round);
    }
    expect(scene.target.callsTo('/d')).toHaveLength(3);
  });

  it('runs on a failure only when all retries are used up', async () => {
    const instance = scene.instance();
    const [a = ''] = await insertJobs('a', { ...RETRIES, max_retries: 2 });
    const [b = '', c = ''] = await insertJobs('bc');
    await insertDependency(scene.pool, b, a, 'ON_FAILURE');
    await insertDependency(scene.pool, c, a, 'ON_SUCCESS');
    scene.target.script('/a', [503, 503, 503, 200]);
    await trigger(instance, { id: a });
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      await instance.work();
      scene.clock.advance(1_000);
      expect(await executionsOf(scene.pool, b)).toEqual([]);
    }
    await instance.work();
    expect(await executionsOf(scene.pool, b)).toHaveLength(1);
    expect(await executionsOf(scene.pool, c)).toEqual([]);
  });

  it('runs when the loss of an instance has ended its upstream run', async () => {
    const { rescuer, wakeUps } = scene.instance();
    const [a = ''] = await insertJobs('a', { type: 'ATMOST_ONCE' });
    const [b = ''] = await insertJobs('b');
    await insertDependency(scene.pool, b, a, 'ON_FAILURE');
    const lost = await insertExecution(scene.pool, a, 'RUNNING');
    scene.clock.advance(LEASE_MS + 1);
    await rescuer.runOnce();
    const [downstream] = await executionsOf(scene.pool, b);
    expect(await readExecution(scene.pool, lost)).toMatchObject({
      status: 'FAILED',
      failure_reason: 'INSTANCE_LOST',
    });
    expect(await triggersOf(scene.pool, downstream?.['id'] as string)).toEqual([lost]);
    expect(wakeUps.woken).toEqual(['executions', 'events']);
  });

  it('runs on the completion of a cancelled call, but not on its success or failure', async () => {
    const instance = scene.instance();
    const [a = ''] = await insertJobs('a', RETRIES);
    const [b = '', c = '', d = ''] = await insertJobs('bcd');
    await insertDependency(scene.pool, b, a, 'ON_COMPLETION');
    await insertDependency(scene.pool, c, a, 'ON_SUCCESS');
    await insertDependency(scene.pool, d, a, 'ON_FAILURE');
    const gate = scene.target.gate('/a', 503);
    const id = await trigger(instance, { id: a });
    await instance.worker.runOnce();
    await scene.pool.query('UPDATE job_executions SET cancel_requested_at = $1 WHERE id = $2', [START, id]);
    gate.open();
    await instance.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'CANCELLED' });
    expect(await executionsOf(scene.pool, b)).toHaveLength(1);
    expect(await count(scene.pool, `job_executions WHERE trigger = 'DEPENDENCY'`)).toBe(1);
  });

  it('ignores ends while it is paused', async () => {
    const instance = scene.instance();
    const [a = '', b = ''] = await insertJobs('ab');
    await insertDependency(scene.pool, b, a);
    await scene.pool.query(`UPDATE jobs SET status = 'PAUSED', paused_at = $1 WHERE id = $2`, [START, b]);
    await run(instance, a);
    await scene.pool.query(`UPDATE jobs SET status = 'ACTIVE', paused_at = NULL WHERE id = $1`, [b]);
    expect(await executionsOf(scene.pool, b)).toEqual([]);
    expect(await satisfactionsOf(scene.pool, b, [a])).toEqual([null]);
    await run(instance, a);
    expect(await executionsOf(scene.pool, b)).toHaveLength(1);
  });

  it('has its run withdrawn when it is paused before the start', async () => {
    const instance = scene.instance();
    const [a = '', b = ''] = await insertJobs('ab');
    await insertDependency(scene.pool, b, a);
    await trigger(instance, { id: a });
    await instance.work();
    await instance.commands.pauseJob(CALLER, reference({ id: b }));
    expect(await executionsOf(scene.pool, b)).toMatchObject([{ status: 'CANCELLED', trigger: 'DEPENDENCY' }]);
  });

  it('runs when its upstream is cancelled between two attempts, but not before the first', async () => {
    const instance = scene.instance();
    const [a = ''] = await insertJobs('a', RETRIES);
    const [b = ''] = await insertJobs('b');
    await insertDependency(scene.pool, b, a, 'ON_COMPLETION');
    const cancel = (id: string) =>
      instance.commands.cancelExecution(CALLER, { id: encodePublicId('Execution', id) });
    await cancel(await trigger(instance, { id: a }));
    expect(await executionsOf(scene.pool, b)).toEqual([]);

    scene.target.script('/a', 503);
    const retrying = await trigger(instance, { id: a });
    await instance.work();
    instance.wakeUps.woken.length = 0;
    await cancel(retrying);
    const [downstream] = await executionsOf(scene.pool, b);
    expect(await triggersOf(scene.pool, downstream?.['id'] as string)).toEqual([retrying]);
    expect(instance.wakeUps.woken).toContain('executions');
    expect((await eventsOf(scene.pool)).slice(-2)).toMatchObject([
      { kind: 'EXECUTION_CANCELLED', job_id: a },
      { kind: 'EXECUTION_PLANNED', job_id: b },
    ]);
  });

  it('runs although an execution that satisfied an edge has been pruned', async () => {
    const instance = scene.instance();
    const [a = '', b = '', c = ''] = await insertJobs('abc');
    await insertDependency(scene.pool, c, a);
    await insertDependency(scene.pool, c, b);
    const pruned = await run(instance, a);
    await scene.pool.query('DELETE FROM job_executions WHERE id = $1', [pruned]);
    const kept = await run(instance, b);
    const [downstream] = await executionsOf(scene.pool, c);
    expect(await triggersOf(scene.pool, downstream?.['id'] as string)).toEqual([kept]);
  });

  it('counts the end of a run that was running when the dependency was added', async () => {
    const instance = scene.instance();
    const [a = '', b = ''] = await insertJobs('ab');
    const gate = scene.target.gate('/a');
    await trigger(instance, { id: a });
    await instance.worker.runOnce();
    await insertDependency(scene.pool, b, a);
    gate.open();
    await instance.worker.drained();
    expect(await executionsOf(scene.pool, b)).toHaveLength(1);
  });
});

describe('runs that would overlap', () => {
  it('are skipped under FORBID, each next to the ones before it', async () => {
    const instance = scene.instance();
    const [a = ''] = await insertJobs('a');
    const [b = ''] = await insertJobs('b', { concurrency_policy: 'FORBID' });
    await insertDependency(scene.pool, b, a);
    const ids = await insertRunning(scene.pool, a, 3);
    await settleUpstream(scene.pool, ids.map(succeeded).map(settlementRow), newUuidV7);
    const runs = await executionsOf(scene.pool, b);
    const statuses = runs.map((row) => [row['status'], row['skip_reason']]);
    expect(statuses.sort()).toEqual([
      ['PENDING', null],
      ['SKIPPED', 'OVERLAP'],
      ['SKIPPED', 'OVERLAP'],
    ]);
    const told = await eventsOf(scene.pool, b);
    expect(told.map((event) => event['kind']).sort()).toEqual([
      'EXECUTION_PLANNED',
      'EXECUTION_SKIPPED',
      'EXECUTION_SKIPPED',
    ]);
    expect(await count(scene.pool, 'job_execution_triggers')).toBe(3);
    scene.clock.advance(1_000);
    await instance.work();
    await run(instance, a);
    expect(scene.target.callsTo('/b')).toHaveLength(2);
  });

  it('wait for each other under QUEUE', async () => {
    const instance = scene.instance();
    const [a = ''] = await insertJobs('a');
    const [b = ''] = await insertJobs('b', { concurrency_policy: 'QUEUE' });
    await insertDependency(scene.pool, b, a);
    const ids = await insertRunning(scene.pool, a, 3);
    await settleUpstream(scene.pool, ids.map(succeeded).map(settlementRow), newUuidV7);
    expect(await count(scene.pool, `job_executions WHERE status = 'BLOCKED'`)).toBe(2);
    scene.clock.advance(1_000);
    for (let done = 1; done <= 3; done += 1) {
      await instance.work();
      await instance.unblocker.runOnce();
      expect(scene.target.callsTo('/b')).toHaveLength(done);
    }
  });

  it('replace the running ones under REPLACE, also when an instance extends their leases meanwhile', async () => {
    const [a = ''] = await insertJobs('a');
    const [b = ''] = await insertJobs('b', { concurrency_policy: 'REPLACE' });
    await insertDependency(scene.pool, b, a);
    for (let round = 0; round < 25; round += 1) {
      const upstream = await insertRunning(scene.pool, a, 3);
      const replaced = await insertRunning(scene.pool, b, 3);
      const held = [...upstream, ...replaced].map((executionId) => ({ executionId, claimSeq: 1 }));
      await Promise.all([
        settleUpstream(scene.pool, upstream.map(succeeded).map(settlementRow), newUuidV7),
        extendLeases(scene.pool, held, { now: START, leaseMs: LEASE_MS, leastMs: LEASE_MS + 1 }),
      ]);
      expect(
        await count(scene.pool, 'job_executions WHERE id = ANY($1) AND cancel_requested_at IS NOT NULL', [
          replaced,
        ]),
      ).toBe(3);
    }
    expect(await count(scene.pool, `job_executions WHERE status = 'BLOCKED' AND job_id = $1`, [b])).toBe(1);
  });
});

describe('ends that other jobs wait for', () => {
  it('are recorded one by one when they come in one batch, and trigger a run each', async () => {
    const instance = scene.instance();
    const [a = '', b = ''] = await insertJobs('ab');
    await insertDependency(scene.pool, b, a);
    const ids = await insertRunning(scene.pool, a, 30);
    const answers = await Promise.all(ids.map((id) => instance.settler.settle(succeeded(id))));
    expect(answers.every((recorded) => recorded)).toBe(true);
    expect(await executionsOf(scene.pool, b)).toHaveLength(30);
    expect(await count(scene.pool, 'job_execution_triggers')).toBe(30);
  });

  it('leave the others of their batch on the fast path', async () => {
    const [a = '', b = '', other = ''] = await insertJobs('abo');
    await insertDependency(scene.pool, b, a);
    const [awaited = '', plain = ''] = [
      ...(await insertRunning(scene.pool, a, 1)),
      ...(await insertRunning(scene.pool, other, 1)),
    ];
    const { written, deferred } = await settle(
      scene.pool,
      [succeeded(awaited), succeeded(plain)].map(settlementRow),
    );
    expect([[...written], [...deferred]]).toEqual([[plain], [awaited]]);
    expect(await readExecution(scene.pool, awaited)).toMatchObject({ status: 'RUNNING' });
  });

  it('are on the fast path when only jobs with slots wait for them, and when they end nothing', async () => {
    const [a = ''] = await insertJobs('a');
    const [b = ''] = await insertJobs('b', { schedule: '0 * * * * *' });
    const [c = ''] = await insertJobs('c', { run_at: START });
    await insertDependency(scene.pool, b, a);
    await insertDependency(scene.pool, c, a);
    const [first = '', second = ''] = await insertRunning(scene.pool, a, 2);
    expect((await settle(scene.pool, [succeeded(first)].map(settlementRow))).written).toEqual(
      new Set([first]),
    );
    const [d = ''] = await insertJobs('d');
    await insertDependency(scene.pool, d, a);
    const interrupted: Settlement = { ...succeeded(second), status: 'PENDING', availableAt: START };
    expect((await settle(scene.pool, [interrupted].map(settlementRow))).written).toEqual(new Set([second]));
  });

  it('trigger nothing when their claim was lost', async () => {
    const instance = scene.instance();
    const [a = '', b = ''] = await insertJobs('ab');
    await insertDependency(scene.pool, b, a);
    const [kept = '', reclaimed = ''] = await insertRunning(scene.pool, a, 2);
    await scene.pool.query('UPDATE job_executions SET claim_seq = 2 WHERE id = $1', [reclaimed]);
    const late = [succeeded(kept), succeeded(reclaimed)];
    expect((await settleUpstream(scene.pool, late.map(settlementRow), newUuidV7)).written).toEqual(
      new Set([kept]),
    );
    expect(await instance.settler.settle(succeeded(reclaimed))).toBe(false);
    expect(await executionsOf(scene.pool, b)).toHaveLength(1);
  });

  it('are not rescued when the holder has extended its lease in time', async () => {
    const [a = '', b = ''] = await insertJobs('ab');
    await insertDependency(scene.pool, b, a, 'ON_COMPLETION');
    const [id = ''] = await insertRunning(scene.pool, a, 1);
    const rescue: Settlement = {
      ...succeeded(id),
      status: 'FAILED',
      failureReason: 'INSTANCE_LOST',
      instanceLost: true,
    };
    expect((await settle(scene.pool, [rescue].map(settlementRow))).deferred.size).toBe(0);
    expect((await settleUpstream(scene.pool, [rescue].map(settlementRow), newUuidV7)).written.size).toBe(0);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'RUNNING' });
    expect(await executionsOf(scene.pool, b)).toEqual([]);
  });

  it('are committed together with the runs that they trigger, or not at all', async () => {
    const [a = '', b = ''] = await insertJobs('ab');
    await insertDependency(scene.pool, b, a);
    const [id = ''] = await insertRunning(scene.pool, a, 1);
    const taken = await insertExecution(scene.pool, a, 'PENDING');
    await expect(settleUpstream(scene.pool, [succeeded(id)].map(settlementRow), () => taken)).rejects.toThrow(
      'duplicate key',
    );
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'RUNNING' });
    expect(await eventsOf(scene.pool)).toEqual([]);
    await settleUpstream(scene.pool, [succeeded(id)].map(settlementRow), newUuidV7);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS' });
    expect(await executionsOf(scene.pool, b)).toHaveLength(1);
  });

  it('complete a join once when many come at the same time from several instances', async () => {
    const settlers = [scene.instance().settler, scene.instance().settler] as const;
    const upstreams = await insertJobs('abcd');
    const [join = ''] = await insertJobs('j');
    for (const upstream of upstreams) await insertDependency(scene.pool, join, upstream);
    const rounds = 40;
    for (let round = 1; round <= rounds; round += 1) {
      const ids = (await Promise.all(upstreams.map((job) => insertRunning(scene.pool, job, 1)))).flat();
      await Promise.all(ids.map((id, index) => settlers[index % 2 === 0 ? 0 : 1].settle(succeeded(id))));
      const runs = await executionsOf(scene.pool, join);
      expect(runs).toHaveLength(round);
    }
    const perRun = await scene.pool.query<{ count: number }>(
      'SELECT count(*)::int AS count FROM job_execution_triggers GROUP BY execution_id',
    );
    expect(perRun.rows.map((row) => row.count)).toEqual(Array<number>(rounds).fill(upstreams.length));
    expect(await satisfactionsOf(scene.pool, join, upstreams)).toEqual([null, null, null, null]);
  });

  it('lock in the order of deletions, so there is no deadlock', async () => {
    const { pool, commands } = scene.instance();
    for (let round = 0; round < 25; round += 1) {
      // Job b is downstream of a run in the batch and has a run there itself. Two lock orders would deadlock.
      const [a = '', b = '', c = ''] = await insertJobs('abc');
      await insertDependency(scene.pool, b, a);
      await insertDependency(scene.pool, c, b);
      const ids = [...(await insertRunning(scene.pool, a, 2)), ...(await insertRunning(scene.pool, b, 2))];
      const [deleted] = await Promise.all([
        commands.deleteJob(CALLER, reference({ id: b })),
        settleUpstream(pool, ids.map(succeeded).map(settlementRow), newUuidV7),
      ]);
      expect(deleted.ok).toBe(true);
    }
    expect(await count(scene.pool, `job_executions WHERE status = 'RUNNING'`)).toBe(0);
  });
});
