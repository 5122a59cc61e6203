import type { PoolClient } from 'pg';
import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../../src/domain/values/public-id.ts';
import { EVENT_LOG_LOCK } from '../../../src/store/events/event-log.ts';
import type { Statement } from '../../../src/store/statements/sql.ts';
import { CALLER, valueOf, type TestInstance } from '../../support/instance.ts';
import { plus } from '../../support/manual-clock.ts';
import { insertJobsOfSlot, SLOT } from '../../support/many-slots.ts';
import { refuseExecutionsOf, refuseRowsOf } from '../../support/refused-rows.ts';
import { count, executionCounts, insertJob } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
/** So many are due together, of which so many are left to be foreseen. */
const JOBS = 1_100;
const FORESEEN = 500;
const HELD = JOBS - FORESEEN;
/** Time stands still for what is computed: on a busy machine fewer slots might be foreseen. */
const UNHURRIED = { monotonicMs: () => 0 };

const OF_THIS_DATABASE = `pg_stat_activity WHERE datname = current_database()`;
const holders = () => count(scene.pool, `${OF_THIS_DATABASE} AND state = 'idle in transaction'`);
const waiting = () => count(scene.pool, `${OF_THIS_DATABASE} AND wait_event_type = 'Lock'`);
const statuses = () => executionCounts(scene.pool);
const plansTold = () => count(scene.pool, `event_log WHERE kind = 'EXECUTION_PLANNED'`);

const insert = (jobs: number, columns: Record<string, unknown> = {}) =>
  insertJobsOfSlot(scene.pool, jobs, SLOT, { api: `${scene.target.url}/work`, ...columns });

async function prepare(...instances: TestInstance[]): Promise<void> {
  scene.clock.set(plus(SLOT, -300));
  await Promise.all(instances.map(({ burst }) => burst.runOnce()));
}

/** Lets planners look just before the slot, and when it has come. */
async function reachSlot(...instances: TestInstance[]): Promise<void> {
  for (const beforeMs of [150, 0]) {
    scene.clock.set(plus(SLOT, -beforeMs));
    await Promise.all(instances.map(({ planner }) => planner.runOnce()));
  }
}

/** Whether each job has had its slot, once, and has moved on. */
async function expectEachPlanned(jobs = JOBS): Promise<void> {
  expect(await count(scene.pool, 'job_executions WHERE scheduled_at = $1', [SLOT])).toBe(jobs);
  expect(await count(scene.pool, 'jobs WHERE next_run_at = $1', [plus(SLOT, 10_000)])).toBe(jobs);
  expect(await plansTold()).toBe(jobs);
}

/** The ids of the jobs of which a burst holds some, by what it says of each. */
async function heldBy({ burst }: TestInstance): Promise<string[]> {
  const { rows } = await scene.pool.query<{ id: string }>('SELECT id FROM jobs');
  return rows.flatMap(({ id }) => (burst.holds(id) ? id : []));
}

/** Takes the lock that whoever tells the log waits for. */
async function holdLog(): Promise<{ release: () => Promise<void> }> {
  const client = await scene.pool.connect();
  await client.query('BEGIN');
  await client.query(`SELECT pg_advisory_xact_lock(${EVENT_LOG_LOCK})`);
  return {
    async release() {
      await client.query('ROLLBACK');
      client.release();
    },
  };
}

/** Does something just before each batch of slots is made, counted from 1. */
function onBatches({ pool }: TestInstance, act: (batch: number) => void): void {
  let batches = 0;
  const connect = pool.connect.bind(pool) as (...args: unknown[]) => Promise<PoolClient>;
  Object.assign(pool, {
    // With a callback it is the pool itself that connects.
    async connect(...args: unknown[]) {
      if (args.length > 0) return connect(...args);
      const client = await connect();
      const query = client.query.bind(client) as (...sent: unknown[]) => Promise<unknown>;
      return Object.assign(client, {
        query(...sent: [string | Statement]) {
          const [statement] = sent;
          if (typeof statement !== 'string' && statement.name === 'prepare-waiting-slots')
            act((batches += 1));
          return query(...sent);
        },
      });
    },
  });
}

describe('a burst', () => {
  it('is to be seen by nobody before its instant, and is there when it has come', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    await prepare(instance);
    expect(await heldBy(instance)).toHaveLength(HELD);
    expect(instance.burst.heldUntil()).toEqual(SLOT);
    expect(await statuses()).toEqual({});
    expect(await plansTold()).toBe(0);
    expect(await count(scene.pool, 'jobs WHERE next_run_at = $1', [SLOT])).toBe(JOBS);

    instance.wakeUps.woken.length = 0;
    await reachSlot(instance);
    expect(await holders()).toBe(0);
    expect(instance.burst.heldUntil()).toBeNull();
    await expectEachPlanned();
    expect(instance.wakeUps.woken).toContain('executions');
    expect(
      await count(
        scene.pool,
        `job_executions WHERE created_at = scheduled_at AND available_at = scheduled_at`,
      ),
    ).toBe(JOBS);
  });

  it('is called, each of its slots once', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    await prepare(instance);
    await reachSlot(instance);
    instance.worker.start();
    await scene.target.received('/work', JOBS);
    await instance.worker.stop();
    await instance.worker.drained();
    expect(await statuses()).toEqual({ SUCCESS: JOBS });
    expect(scene.target.callsTo('/work')).toHaveLength(JOBS);
  });

  it('is begun by the jobs of the highest priority, which are prefetched as ever', async () => {
    const instance = scene.instance({ ...UNHURRIED, maxConcurrency: 100 });
    const gate = scene.target.gate('/work');
    await insert(JOBS - 100);
    const high = await insert(100, { priority: 9 });
    await prepare(instance);
    const held = new Set(await heldBy(instance));
    expect(held.size).toBe(HELD);
    expect(high.filter((id) => held.has(id))).toEqual([]);
    await reachSlot(instance);
    expect(await count(scene.pool, `job_executions WHERE status = 'RUNNING' AND priority = 9`)).toBe(50);
    expect(await count(scene.pool, `job_executions WHERE status = 'RUNNING' AND priority < 9`)).toBe(0);
    gate.open();
  });

  it('is not prepared before its time, nor where it is small', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(1_000);
    await prepare(instance);
    expect(instance.burst.heldUntil()).toBeNull();
    await insert(1);
    // A quarter of a second to spare, and 0.15 ms for each of 501.
    scene.clock.set(plus(SLOT, -326));
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toBeNull();
    scene.clock.set(plus(SLOT, -325));
    await instance.burst.runOnce();
    expect(await heldBy(instance)).toHaveLength(501);
  });

  it('is prepared as early as the last one would have needed it', async () => {
    let elapsedMs = 0;
    const instance = scene.instance({ monotonicMs: () => elapsedMs });
    await insert(JOBS);
    // As if each of two batches took half a second.
    onBatches(instance, () => (elapsedMs += 500));
    await prepare(instance);
    await reachSlot(instance);
    scene.clock.set(plus(SLOT, 10_000 - 1_251));
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toBeNull();
    scene.clock.set(plus(SLOT, 10_000 - 1_249));
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toEqual(plus(SLOT, 10_000));
  });

  it('is made as far as the time is enough; what is left is planned as any other slot', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(2_000);
    onBatches(instance, (batch) => {
      if (batch === 2) scene.clock.set(SLOT);
    });
    scene.clock.set(plus(SLOT, -450));
    await instance.burst.runOnce();
    expect(await heldBy(instance)).toHaveLength(1_000);
    await instance.planner.runOnce();
    await instance.planner.runOnce();
    await expectEachPlanned(2_000);
  });

  it('leaves to the planner what is no plain slot, and what somebody holds', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS - 200, { priority: 5 });
    const limited = await insert(100, { priority: 1, concurrency_policy: 'FORBID' });
    const brief = await insert(99, { priority: 1, misfire_grace_ms: 4_999 });
    const [taken] = await insert(1, { priority: 1 });
    const holder = await scene.pool.connect();
    await holder.query('BEGIN');
    await holder.query('SELECT FROM jobs WHERE id = $1 FOR NO KEY UPDATE', [taken]);
    await prepare(instance);
    const held = new Set(await heldBy(instance));
    expect(held.size).toBe(HELD - 200);
    expect([...limited, ...brief, taken].filter((id) => id !== undefined && held.has(id))).toEqual([]);
    await holder.query('ROLLBACK');
    holder.release();
    await reachSlot(instance);
    await expectEachPlanned();
  });

  it('has those come first who change a job before, and those last who wait for it', async () => {
    const instance = scene.instance(UNHURRIED);
    const [low] = await insert(1, { priority: 1 });
    await insert(JOBS - 2, { priority: 5 });
    const [lower] = await insert(1, { priority: 0 });
    const pause = async (id: string | undefined) =>
      valueOf(await instance.commands.pauseJob(CALLER, { id: encodePublicId('Job', id ?? '') }));
    await pause(low);
    await prepare(instance);
    const paused = pause(lower);
    await until(async () => (await waiting()) === 1);
    await reachSlot(instance);
    await paused;
    expect(await count(scene.pool, 'job_executions WHERE job_id = $1', [low])).toBe(0);
    expect(await count(scene.pool, 'job_executions WHERE job_id = $1', [lower])).toBe(1);
    expect(await count(scene.pool, `jobs WHERE status = 'PAUSED' AND next_run_at IS NULL`)).toBe(2);
  });

  it('does not keep the planner from what is due before', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    const soonerAt = plus(SLOT, -280);
    const sooner = await insertJob(scene.pool, { run_at: soonerAt, next_run_at: soonerAt });
    await prepare(instance);
    scene.clock.set(soonerAt);
    await instance.planner.runOnce();
    expect(await count(scene.pool, 'job_executions WHERE job_id = $1', [sooner])).toBe(1);
    expect(instance.burst.heldUntil()).toEqual(SLOT);
    await reachSlot(instance);
    expect(await count(scene.pool, 'job_executions')).toBe(JOBS + 1);
  });

  it('is shared by instances that prepare at once, and is planned once', async () => {
    const instances = [scene.instance(UNHURRIED), scene.instance(UNHURRIED)] as const;
    await insert(2 * JOBS);
    await prepare(...instances);
    const [one, other] = [new Set(await heldBy(instances[0])), await heldBy(instances[1])];
    expect(other.filter((id) => one.has(id))).toEqual([]);
    expect(one.size + other.length).toBe(2 * JOBS - FORESEEN);
    await reachSlot(...instances);
    for (const { planner } of instances) await planner.runOnce();
    await expectEachPlanned(2 * JOBS);
  });
});

describe('a prepared burst', () => {
  it('is left as it was by an instance that stops', async () => {
    const [stopping, other] = [scene.instance(UNHURRIED), scene.instance(UNHURRIED)];
    await insert(JOBS);
    await prepare(stopping);
    await stopping.burst.stop();
    expect(await holders()).toBe(0);
    expect(await heldBy(stopping)).toEqual([]);
    await reachSlot(other);
    await other.planner.runOnce();
    await expectEachPlanned();
  });

  it('comes to nothing with its connection, and is planned all the same', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    await prepare(instance);
    await scene.pool.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM ${OF_THIS_DATABASE} AND state = 'idle in transaction'`,
    );
    await reachSlot(instance);
    await instance.planner.runOnce();
    await expectEachPlanned();
  });

  it('comes to nothing where one of it is refused, and is planned all the same', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS - 1, { priority: 5 });
    const [poison] = await insert(1, { priority: 1 });
    await refuseExecutionsOf(scene.pool, [poison ?? '']);
    await prepare(instance);
    expect(await holders()).toBe(0);
    await reachSlot(instance);
    await instance.planner.runOnce();
    expect(await count(scene.pool, 'job_executions')).toBe(JOBS - 1);
  });

  it('comes to nothing where the log cannot be told of it', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    await prepare(instance);
    await refuseRowsOf(scene.pool, 'event_log');
    scene.clock.set(SLOT);
    await instance.burst.commit();
    expect(await holders()).toBe(0);
    expect(await statuses()).toEqual({});
    expect(await count(scene.pool, 'jobs WHERE next_run_at = $1', [SLOT])).toBe(JOBS);
    // Nor would the next one come to anything.
    await scene.pool.query('UPDATE jobs SET next_run_at = $1', [plus(SLOT, 10_000)]);
    scene.clock.set(plus(SLOT, 9_750));
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toBeNull();
  });

  it('is followed by the next one', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    await prepare(instance);
    await reachSlot(instance);
    // It took no time at all; half as much as before is believed.
    scene.clock.set(plus(SLOT, 10_000 - 296));
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toBeNull();
    scene.clock.set(plus(SLOT, 10_000 - 295));
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toEqual(plus(SLOT, 10_000));
  });

  it('commits itself where the planner does not come to it', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    await prepare(instance);
    scene.clock.set(plus(SLOT, 299));
    await instance.burst.runOnce();
    expect(await statuses()).toEqual({});
    scene.clock.set(plus(SLOT, 300));
    await instance.burst.runOnce();
    expect(await statuses()).toEqual({ PENDING: HELD });
    expect(await plansTold()).toBe(HELD);
    expect(instance.burst.heldUntil()).toBeNull();
    await instance.planner.runOnce();
    await expectEachPlanned();
  });

  it('is given up where those who wait for it keep all connections, and planned all the same', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS, { priority: 5 });
    const low = await insert(5, { priority: 1 });
    await prepare(instance);
    const paused = low.map((id) => instance.commands.pauseJob(CALLER, { id: encodePublicId('Job', id) }));
    await until(async () => (await waiting()) === low.length);
    const other = instance.pool.query('SELECT 1');
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toBeNull();
    for (const result of await Promise.all(paused)) valueOf(result);
    await other;
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toBeNull();
    await reachSlot(instance);
    await instance.planner.runOnce();
    await expectEachPlanned();
  });

  it('is kept where connections are taken by others', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    await prepare(instance);
    const taken = await Promise.all(Array.from({ length: 5 }, () => instance.pool.connect()));
    const waitsForOne = instance.pool.connect();
    await instance.burst.runOnce();
    expect(await heldBy(instance)).toHaveLength(HELD);
    for (const client of taken) client.release();
    (await waitsForOne).release();
  });

  it('is looked for again behind the commit, by which its jobs move on', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(2 * JOBS);
    scene.clock.set(plus(SLOT, -500));
    await instance.burst.runOnce();
    const log = await holdLog();
    scene.clock.set(SLOT);
    const committed = instance.burst.commit();
    await until(async () => (await waiting()) === 1);
    scene.clock.set(plus(SLOT, 10_000 - 300));
    const looked = instance.burst.runOnce();
    await log.release();
    await Promise.all([committed, looked]);
    expect(await plansTold()).toBe(2 * JOBS - FORESEEN);
    expect(instance.burst.heldUntil()).toEqual(plus(SLOT, 10_000));
  });

  it('is given up where the clock is set back, and where it is far ahead', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS, { misfire_grace_ms: 60_000 });
    await prepare(instance);
    scene.clock.set(plus(SLOT, -5_000));
    await instance.burst.runOnce();
    expect(await holders()).toBe(0);
    const other = scene.instance(UNHURRIED);
    await prepare(other);
    scene.clock.set(plus(SLOT, 20_001));
    await other.burst.commit();
    expect(await holders()).toBe(0);
    expect(await statuses()).toEqual({});
  });

  it('is waited for by a stop that comes while it is committed', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    await prepare(instance);
    const log = await holdLog();
    scene.clock.set(SLOT);
    const committed = [instance.burst.commit(), instance.burst.commit()];
    let isStopped = false;
    const stopped = instance.burst.stop().then(() => (isStopped = true));
    await until(async () => (await waiting()) === 1);
    expect(isStopped).toBe(false);
    await log.release();
    await Promise.all([...committed, stopped]);
    expect(await statuses()).toEqual({ PENDING: HELD });
    expect(instance.pool.idleCount).toBe(instance.pool.totalCount);
  });

  it('is left as it was where it is stopped while it is made', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(2 * JOBS);
    let stopped: Promise<void> | undefined;
    onBatches(instance, () => {
      stopped ??= instance.burst.stop();
    });
    scene.clock.set(plus(SLOT, -500));
    await instance.burst.runOnce();
    await stopped;
    expect(await holders()).toBe(0);
    expect(await heldBy(instance)).toEqual([]);
  });

  it('is given up with its connection, where that is asked who waits', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    await prepare(instance);
    const taken = await Promise.all(Array.from({ length: 5 }, () => instance.pool.connect()));
    const waitsForOne = instance.pool.connect();
    await scene.pool.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM ${OF_THIS_DATABASE} AND state = 'idle in transaction'`,
    );
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toBeNull();
    for (const client of taken) client.release();
    (await waitsForOne).release();
  });

  it('comes behind what is of higher priority and no plain slot', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    const [high] = await insert(1, { priority: 9, concurrency_policy: 'FORBID' });
    await prepare(instance);
    await reachSlot(instance);
    const { rows } = await scene.pool.query<{ before: number }>(
      `SELECT count(*)::int AS before FROM event_log WHERE kind = 'EXECUTION_PLANNED'
         AND position < (SELECT position FROM event_log WHERE kind = 'EXECUTION_PLANNED' AND job_id = $1)`,
      [high],
    );
    expect(rows).toEqual([{ before: FORESEEN }]);
    await expectEachPlanned(JOBS + 1);
  });

  it('finds its jobs prefetched where it was late, and makes what it can', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS);
    scene.clock.set(plus(SLOT, -200));
    await instance.planner.runOnce();
    scene.clock.set(plus(SLOT, -150));
    await instance.burst.runOnce();
    expect(await heldBy(instance)).toHaveLength(HELD);
    scene.clock.set(SLOT);
    await instance.planner.runOnce();
    await expectEachPlanned();
  });

  it('is not made again for a while after one of it was refused', async () => {
    const instance = scene.instance(UNHURRIED);
    await insert(JOBS - 1, { priority: 5 });
    const [poison] = await insert(1, { priority: 1 });
    await refuseExecutionsOf(scene.pool, [poison ?? '']);
    await prepare(instance);
    await scene.pool.query('DELETE FROM jobs WHERE id = $1', [poison]);
    await scene.pool.query('UPDATE jobs SET next_run_at = $1', [plus(SLOT, 600_000)]);
    scene.clock.set(plus(SLOT, 599_800));
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toBeNull();
    await scene.pool.query('UPDATE jobs SET next_run_at = $1', [plus(SLOT, 610_000)]);
    scene.clock.set(plus(SLOT, 609_800));
    await instance.burst.runOnce();
    expect(instance.burst.heldUntil()).toEqual(plus(SLOT, 610_000));
  });
});
