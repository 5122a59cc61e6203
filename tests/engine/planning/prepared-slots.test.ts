import { describe, expect, it } from 'vitest';
import { EVENT_LOG_LOCK } from '../../../src/store/events/append-events.ts';
import type { createJob } from '../../support/instance.ts';
import { CALLER, reference, trigger, valueOf, type TestInstance } from '../../support/instance.ts';
import { plus, START } from '../../support/manual-clock.ts';
import { createJobsOfSlot, insertJobsOfSlot, MANY, SLOT } from '../../support/many-slots.ts';
import { refuseExecutionsOf, refuseRowsOf } from '../../support/refused-rows.ts';
import {
  count,
  eventsOf,
  executionCounts,
  executionsOf,
  insertExecution,
  readRow,
  type Row,
} from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { startedAtSlot, toldOfStart } from '../../support/started-slots.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
/** Stops the clock also for computations. On a busy machine the planner might prefetch fewer slots. */
const UNHURRIED = { monotonicMs: () => 0 };
const ROOM = { maxConcurrency: 100, maxConcurrencyPerHost: 80, ...UNHURRIED };

type Job = Awaited<ReturnType<typeof createJob>>;

async function scheduled(
  instance: TestInstance,
  jobs: number,
  input: Parameters<typeof createJob>[1] = {},
): Promise<Job[]> {
  return createJobsOfSlot(instance, jobs, { api: `${scene.target.url}/work`, ...input });
}

/** Runs planners before the slot, which prepare it when it is near. */
async function prepare(...instances: TestInstance[]): Promise<void> {
  await tryToPrepare(...instances);
  expect(await openTransactions()).toBe(1);
}

/** The same, but the slots may end up unprepared. */
async function tryToPrepare(...instances: TestInstance[]): Promise<void> {
  for (const beforeMs of [150, 15]) {
    scene.clock.set(plus(SLOT, -beforeMs));
    for (const { planner } of instances) await planner.runOnce();
  }
}

async function reachSlot(...instances: TestInstance[]): Promise<void> {
  scene.clock.set(SLOT);
  await Promise.all(instances.map(({ planner }) => planner.runOnce()));
}

const OF_THIS_DATABASE = `pg_stat_activity WHERE datname = current_database()`;
const openTransactions = () => count(scene.pool, `${OF_THIS_DATABASE} AND state = 'idle in transaction'`);
const waiting = () => count(scene.pool, `${OF_THIS_DATABASE} AND wait_event_type = 'Lock'`);

async function onlyExecution(job: Job): Promise<Row | undefined> {
  const [execution, ...others] = await executionsOf(scene.pool, job.id);
  expect(others).toEqual([]);
  return execution;
}

const statuses = () => executionCounts(scene.pool);

describe('many slots of one instant', () => {
  it('are invisible before that instant, and all started after it', async () => {
    const instance = scene.instance(ROOM);
    const gate = scene.target.gate('/work');
    const jobs = await scheduled(instance, MANY, { priority: 7, retryPolicy: { maxRetries: 2 } });
    const [job] = jobs as [Job];
    const before = await readRow(scene.pool, 'jobs', job.id);
    await prepare(instance);
    expect(await statuses()).toEqual({});
    expect(await readRow(scene.pool, 'jobs', job.id)).toEqual(before);
    expect(await count(scene.pool, `event_log WHERE execution_id IS NOT NULL`)).toBe(0);

    await reachSlot(instance);
    expect(await openTransactions()).toBe(0);
    expect(await statuses()).toEqual({ RUNNING: MANY });
    const { instanceId } = instance;
    expect(await onlyExecution(job)).toMatchObject({
      ...startedAtSlot({ job, slot: SLOT, instanceId }),
      max_attempts: 3,
      priority: 7,
      host: new URL(scene.target.url).host,
    });
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({
      next_run_at: plus(SLOT, 10_000),
      status: 'ACTIVE',
      version: 1,
    });
    gate.open();
    await instance.worker.drained();
    expect(await statuses()).toEqual({ SUCCESS: MANY });
    expect(scene.target.callsTo('/work')).toHaveLength(MANY);
  });

  it('have the usual events, the plans before the starts', async () => {
    const instance = scene.instance(ROOM);
    const [job] = (await scheduled(instance, MANY)) as [Job];
    await prepare(instance);
    instance.wakeUps.woken.length = 0;
    await reachSlot(instance);
    expect(instance.wakeUps.woken).toEqual(['events']);
    await instance.worker.drained();
    const { instanceId } = instance;
    expect((await eventsOf(scene.pool, job.id)).slice(1)).toMatchObject(
      toldOfStart({ job, slot: SLOT, instanceId }),
    );
    const { rows } = await scene.pool.query<{ kind: string }>(
      `SELECT kind FROM event_log WHERE kind IN ('EXECUTION_PLANNED', 'EXECUTION_STARTED') ORDER BY position`,
    );
    const kinds = rows.map(({ kind }) => kind);
    expect(kinds.lastIndexOf('EXECUTION_PLANNED')).toBe(MANY - 1);
  });

  it('are prepared in several statements when there are very many', async () => {
    const instance = scene.instance({ maxConcurrency: 600, maxConcurrencyPerHost: 500, ...UNHURRIED });
    const jobs = 420;
    await insertJobsOfSlot(scene.pool, jobs, SLOT, { api: `${scene.target.url}/work` });
    for (const beforeMs of [150, 100]) {
      scene.clock.set(plus(SLOT, -beforeMs));
      await instance.planner.runOnce();
    }
    expect(await openTransactions()).toBe(1);
    await reachSlot(instance);
    expect(await count(scene.pool, 'job_executions WHERE started_at = scheduled_at')).toBe(jobs);
    await instance.worker.drained();
    expect(scene.target.callsTo('/work')).toHaveLength(jobs);
  });

  it('are prepared for as many as there are places, in the order of priorities; the others wait', async () => {
    const instance = scene.instance({ ...ROOM, maxConcurrencyPerHost: 28 });
    const gate = scene.target.gate('/work');
    const [low] = (await scheduled(instance, 1, { priority: 1 })) as [Job];
    const high = await scheduled(instance, 28, { priority: 9 });
    await prepare(instance);
    await reachSlot(instance);
    for (const job of high) expect(await onlyExecution(job)).toMatchObject({ status: 'RUNNING' });
    expect(await onlyExecution(low)).toMatchObject({ status: 'PENDING' });
    gate.open();
    instance.worker.start();
    await scene.target.received('/work', 29);
  });

  it('leave a place to a slot of higher priority whose result is not known yet', async () => {
    const instance = scene.instance({ ...ROOM, maxConcurrencyPerHost: MANY });
    const gate = scene.target.gate('/work');
    await scheduled(instance, MANY, { priority: 1 });
    const [high] = (await scheduled(instance, 1, { priority: 9, concurrencyPolicy: 'FORBID' })) as [Job];
    await prepare(instance);
    await reachSlot(instance);
    await instance.worker.runOnce();
    expect(await onlyExecution(high)).toMatchObject({ status: 'RUNNING' });
    expect(await statuses()).toEqual({ RUNNING: MANY, PENDING: 1 });
    gate.open();
  });

  it('exclude those that wait for their jitter, and those of another instant', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    const [later] = (await scheduled(instance, 1, { jitterMs: 5_000 })) as [Job];
    const [next] = (await scheduled(instance, 1, { schedule: '@every 10s', startAt: plus(SLOT, 20) })) as [
      Job,
    ];
    await prepare(instance);
    await reachSlot(instance);
    expect(await onlyExecution(later)).toMatchObject({ status: 'PENDING' });
    expect(await executionsOf(scene.pool, next.id)).toEqual([]);
    scene.clock.set(plus(SLOT, 20));
    await instance.planner.runOnce();
    await instance.work();
    expect(await onlyExecution(next)).toMatchObject({ started_at: plus(SLOT, 20) });
    expect(await statuses()).toEqual({ SUCCESS: MANY + 1, PENDING: 1 });
  });

  it('are shared by instances that prepare at once, and none is started twice', async () => {
    const one = scene.instance({ ...ROOM, maxConcurrencyPerHost: 30 });
    const other = scene.instance({ ...ROOM, maxConcurrencyPerHost: 30 });
    const gate = scene.target.gate('/work');
    await scheduled(one, 60);
    // The other instance finds the slots for which it has places locked.
    await prepare(one, other);
    await reachSlot(one, other);
    expect(await count(scene.pool, `job_executions WHERE claimed_by = '${one.instanceId}'`)).toBe(30);
    gate.open();
    for (const { worker } of [one, other]) await worker.drained();
    await other.work();
    expect(await count(scene.pool, `job_executions WHERE status = 'SUCCESS' AND claim_seq = 1`)).toBe(60);
    expect(scene.target.callsTo('/work')).toHaveLength(60);
  });
});

describe('prepared slots', () => {
  it('are prepared again when their instant has passed for longer than their rows allow', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await prepare(instance);
    scene.clock.set(plus(SLOT, 51));
    await instance.planner.runOnce();
    expect(await openTransactions()).toBe(0);
    await instance.work();
    expect(await count(scene.pool, 'job_executions WHERE lateness_ms = 51')).toBe(MANY);
  });

  it('let earlier job changes go first, and later job changes wait', async () => {
    const instance = scene.instance(ROOM);
    const jobs = await scheduled(instance, MANY + 1);
    const [before, meanwhile] = jobs as [Job, Job];
    scene.clock.set(plus(SLOT, -150));
    await instance.planner.runOnce();
    valueOf(await instance.commands.pauseJob(CALLER, reference(before)));
    scene.clock.set(plus(SLOT, -15));
    await instance.planner.runOnce();
    const paused = instance.commands.pauseJob(CALLER, reference(meanwhile));
    await until(async () => (await waiting()) === 1);
    await reachSlot(instance);
    valueOf(await paused);
    await instance.worker.drained();
    expect(await executionsOf(scene.pool, before.id)).toEqual([]);
    expect(await onlyExecution(meanwhile)).toMatchObject({ status: 'SUCCESS' });
    expect(await readRow(scene.pool, 'jobs', meanwhile.id)).toMatchObject({
      status: 'PAUSED',
      next_run_at: null,
    });
    expect(await statuses()).toEqual({ SUCCESS: MANY });
  });

  it('stay as they were when their planner stops', async () => {
    const [stopping, other] = [scene.instance(ROOM), scene.instance(ROOM)];
    await scheduled(stopping, MANY);
    await prepare(stopping);
    await stopping.planner.stop();
    expect(await openTransactions()).toBe(0);
    await reachSlot(other);
    await other.work();
    expect(
      await count(
        scene.pool,
        `job_executions WHERE status = 'SUCCESS' AND claimed_by = '${other.instanceId}'`,
      ),
    ).toBe(MANY);
  });

  it('are claimed by no instance when the worker of their instance has stopped', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await instance.worker.stop();
    await prepare(instance);
    await reachSlot(instance);
    expect(await statuses()).toEqual({ PENDING: MANY });
  });

  it('are rolled back when one of them is refused, and are then started individually', async () => {
    const instance = scene.instance(ROOM);
    const [poison] = (await scheduled(instance, MANY + 1)) as [Job];
    await refuseExecutionsOf(scene.pool, [poison.id]);
    await tryToPrepare(instance);
    expect(await openTransactions()).toBe(0);
    await reachSlot(instance);
    await instance.planner.runOnce();
    await instance.work();
    expect(await executionsOf(scene.pool, poison.id)).toEqual([]);
    expect(await statuses()).toEqual({ SUCCESS: MANY });
  });

  it('are rolled back with their connection, and are still started', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await prepare(instance);
    await scene.pool.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM ${OF_THIS_DATABASE} AND state = 'idle in transaction'`,
    );
    await reachSlot(instance);
    await instance.work();
    expect(await statuses()).toEqual({ SUCCESS: MANY });
    expect(scene.target.callsTo('/work')).toHaveLength(MANY);
  });

  it('are not started when their events cannot be written', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await prepare(instance);
    await refuseRowsOf(scene.pool, 'event_log');
    await reachSlot(instance);
    expect(await openTransactions()).toBe(0);
    expect(await statuses()).toEqual({});
    expect(scene.target.callsTo('/work')).toEqual([]);
  });

  it('are given up when the clock is set back, and are still started when they are due', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await prepare(instance);
    scene.clock.set(plus(SLOT, -5_000));
    await instance.planner.runOnce();
    expect(await openTransactions()).toBe(0);
    await reachSlot(instance);
    await instance.work();
    expect(await statuses()).toEqual({ SUCCESS: MANY });
  });

  it('block other work of the planner until they are due', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await prepare(instance);
    const [sooner] = (await scheduled(instance, 1, { schedule: null, runAt: plus(SLOT, -10) })) as [Job];
    scene.clock.set(plus(SLOT, -10));
    instance.planner.wake();
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, sooner.id)).toEqual([]);
    expect(await openTransactions()).toBe(1);
    await reachSlot(instance);
    expect(await onlyExecution(sooner)).toMatchObject({ scheduled_at: plus(SLOT, -10) });
    await instance.worker.drained();
    expect(await statuses()).toEqual({ SUCCESS: MANY, PENDING: 1 });
  });

  it('are committed while all other connections wait for their jobs', async () => {
    const instance = scene.instance(ROOM);
    const jobs = await scheduled(instance, MANY);
    await prepare(instance);
    const pauses = jobs.slice(0, 8).map((job) => instance.commands.pauseJob(CALLER, reference(job)));
    // The pool has six connections. One of them holds the jobs.
    await until(async () => (await waiting()) === 5);
    await instance.planner.runOnce();
    await reachSlot(instance);
    for (const paused of pauses) valueOf(await paused);
    await instance.worker.drained();
    expect(await statuses()).toEqual({ SUCCESS: MANY });
  });

  it('reserve their places also against catch-ups', async () => {
    const instance = scene.instance({ ...ROOM, maxConcurrency: 50, maxConcurrencyPerHost: 40 });
    const gate = scene.target.gate('/work');
    await scheduled(instance, MANY);
    const [missed] = (await scheduled(instance, 1, { schedule: null })) as [Job];
    await prepare(instance);
    for (let run = 0; run < 20; run += 1)
      await insertExecution(scene.pool, missed.id, 'PENDING', {
        trigger: 'CATCH_UP',
        scheduled_at: plus(START, run),
        host: new URL(scene.target.url).host,
      });
    await instance.worker.runOnce();
    expect(await count(scene.pool, `job_executions WHERE status = 'RUNNING'`)).toBe(10);
    await reachSlot(instance);
    gate.open();
    await instance.worker.drained();
  });

  it('reserve their places until they are due, and no longer', async () => {
    const instance = scene.instance({ ...ROOM, maxConcurrencyPerHost: 40 });
    const gate = scene.target.gate('/work');
    await scheduled(instance, MANY);
    const [byHand] = (await scheduled(instance, 1, { schedule: null })) as [Job];
    await prepare(instance);
    for (let run = 0; run < 20; run += 1) await trigger(instance, byHand);
    await instance.worker.runOnce();
    expect(await count(scene.pool, `job_executions WHERE status = 'RUNNING'`)).toBe(10);
    await reachSlot(instance);
    expect(await statuses()).toEqual({ RUNNING: 40, PENDING: 10 });
    gate.open();
    await instance.worker.drained();
    await instance.work();
    expect(await statuses()).toEqual({ SUCCESS: MANY + 20 });
  });

  it('come after an earlier slot of the same job', async () => {
    const instance = scene.instance(ROOM);
    const [first] = (await scheduled(instance, 1, {
      schedule: '@every 10s',
      startAt: plus(SLOT, -30),
    })) as [Job];
    await scheduled(instance, MANY);
    scene.clock.set(plus(SLOT, -150));
    await instance.planner.runOnce();
    for (const beforeMs of [50, 30]) {
      scene.clock.set(plus(SLOT, -beforeMs));
      await instance.planner.runOnce();
    }
    expect(await onlyExecution(first)).toMatchObject({ started_at: plus(SLOT, -30) });
    scene.clock.set(plus(SLOT, -15));
    await instance.planner.runOnce();
    expect(await openTransactions()).toBe(1);
    await reachSlot(instance);
    await instance.worker.drained();
    expect(await count(scene.pool, 'job_executions WHERE lateness_ms = 0')).toBe(MANY + 1);
  });

  it('leave a place to a slot of higher priority that may not be held', async () => {
    const instance = scene.instance({ ...ROOM, maxConcurrencyPerHost: MANY });
    const gate = scene.target.gate('/work');
    await scheduled(instance, MANY, { priority: 1 });
    const [high] = (await scheduled(instance, 1, { priority: 9, misfireGraceMs: 0 })) as [Job];
    await prepare(instance);
    await reachSlot(instance);
    await instance.worker.runOnce();
    expect(await onlyExecution(high)).toMatchObject({ status: 'RUNNING' });
    expect(await statuses()).toEqual({ RUNNING: MANY, PENDING: 1 });
    gate.open();
  });

  it('exclude slots that would be missed if their holder froze', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY, { misfireGraceMs: 2_499 });
    await tryToPrepare(instance);
    expect(await openTransactions()).toBe(0);
    await reachSlot(instance);
    await instance.work();
    expect(await statuses()).toEqual({ SUCCESS: MANY });
  });

  it('are not committed when the log’s lock is held too long, and are started later', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await prepare(instance);
    const holder = await scene.pool.connect();
    await holder.query('SELECT pg_advisory_lock($1)', [EVENT_LOG_LOCK]);
    scene.clock.set(SLOT);
    const started = instance.planner.runOnce();
    await until(async () => (await waiting()) === 1);
    expect(await statuses()).toEqual({});
    await until(
      async () =>
        (await count(
          scene.pool,
          `${OF_THIS_DATABASE} AND query LIKE '%-- record a plan:%' AND wait_event = 'advisory'`,
        )) === 1,
    );
    await holder.query('SELECT pg_advisory_unlock($1)', [EVENT_LOG_LOCK]);
    holder.release();
    await started;
    await instance.work();
    expect(await statuses()).toEqual({ SUCCESS: MANY });
  });
});
