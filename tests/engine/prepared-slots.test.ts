import { describe, expect, it } from 'vitest';
import { slotExecutionId } from '../../src/domain/slot-id.ts';
import { CALLER, createJob, LEASE_MS, reference, valueOf, type TestInstance } from '../support/instance.ts';
import { plus, START } from '../support/manual-clock.ts';
import { refuseExecutionsOf, refuseRowsOf } from '../support/refused-rows.ts';
import { count, eventsOf, executionsOf, readRow, type Row } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { until } from '../support/until.ts';

const scene = useScene();
const SLOT = plus(START, 10_000);
/** Every ten seconds. */
const SCHEDULE = '*/10 * * * * *';
/** As many as are prepared. */
const MANY = 30;
const ROOM = { maxConcurrency: 100, maxConcurrencyPerHost: 80 };

type Job = Awaited<ReturnType<typeof createJob>>;

async function scheduled(
  instance: TestInstance,
  jobs: number,
  input: Parameters<typeof createJob>[1] = {},
): Promise<Job[]> {
  const api = `${scene.target.url}/work`;
  return Promise.all(
    Array.from({ length: jobs }, () => createJob(instance, { api, schedule: SCHEDULE, ...input })),
  );
}

/** Lets planners look before the slot, and, when it is near, prepare it. */
async function prepare(...instances: TestInstance[]): Promise<void> {
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

async function statuses(): Promise<Record<string, number>> {
  const { rows } = await scene.pool.query<{ status: string; n: number }>(
    'SELECT status, count(*)::int AS n FROM job_executions GROUP BY 1',
  );
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
}

describe('many slots of one instant', () => {
  it('are to be seen by nobody before it, and all started when it has come', async () => {
    const instance = scene.instance(ROOM);
    const gate = scene.target.gate('/work');
    const jobs = await scheduled(instance, MANY, { priority: 7, retryPolicy: { maxRetries: 2 } });
    const [job] = jobs as [Job];
    const before = await readRow(scene.pool, 'jobs', job.id);
    await prepare(instance);
    expect(await openTransactions()).toBe(1);
    expect(await statuses()).toEqual({});
    expect(await readRow(scene.pool, 'jobs', job.id)).toEqual(before);
    expect(await count(scene.pool, `event_log WHERE execution_id IS NOT NULL`)).toBe(0);

    await reachSlot(instance);
    expect(await openTransactions()).toBe(0);
    expect(await statuses()).toEqual({ RUNNING: MANY });
    expect(await onlyExecution(job)).toMatchObject({
      id: slotExecutionId(job.id, SLOT),
      trigger: 'SCHEDULE',
      scheduled_at: SLOT,
      available_at: SLOT,
      created_at: SLOT,
      started_at: SLOT,
      attempt_started_at: SLOT,
      lateness_ms: 0,
      attempt_count: 1,
      max_attempts: 3,
      priority: 7,
      host: new URL(scene.target.url).host,
      claim_seq: 1,
      claimed_by: instance.instanceId,
      lease_expires_at: plus(SLOT, LEASE_MS),
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

  it('are told of as any other, the plans before the starts', async () => {
    const instance = scene.instance(ROOM);
    const [job] = (await scheduled(instance, MANY)) as [Job];
    await prepare(instance);
    instance.wakeUps.woken.length = 0;
    await reachSlot(instance);
    expect(instance.wakeUps.woken).toEqual(['events']);
    await instance.worker.drained();
    const execution_id = slotExecutionId(job.id, SLOT);
    const slot = { execution_id, at: SLOT, trigger: 'SCHEDULE', scheduled_at: SLOT, created_at: SLOT };
    expect((await eventsOf(scene.pool, job.id)).slice(1)).toMatchObject([
      { ...slot, kind: 'EXECUTION_PLANNED', status: 'PENDING', previous_status: null, started_at: null },
      {
        ...slot,
        kind: 'EXECUTION_STARTED',
        status: 'RUNNING',
        previous_status: 'PENDING',
        attempt: 1,
        started_at: SLOT,
        lateness_ms: 0,
        instance_id: instance.instanceId,
      },
      { execution_id, kind: 'EXECUTION_SUCCEEDED' },
    ]);
    const { rows } = await scene.pool.query<{ kind: string }>(
      `SELECT kind FROM event_log WHERE kind IN ('EXECUTION_PLANNED', 'EXECUTION_STARTED') ORDER BY position`,
    );
    const kinds = rows.map(({ kind }) => kind);
    expect(kinds.lastIndexOf('EXECUTION_PLANNED')).toBe(MANY - 1);
  });

  it('are prepared in several statements, where they are very many', async () => {
    const instance = scene.instance({ maxConcurrency: 600, maxConcurrencyPerHost: 500 });
    const jobs = 420;
    await scene.pool.query(
      `INSERT INTO jobs (id, name, api, schedule, created_at, updated_at, next_run_at)
       SELECT gen_random_uuid(), 'job ' || n, $1, $2, $3, $3, $4 FROM generate_series(1, $5::int) AS n`,
      [`${scene.target.url}/work`, SCHEDULE, START, SLOT, jobs],
    );
    await prepare(instance);
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

  it('leave a place to one of higher priority of which it is not known what it becomes', async () => {
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

  it('leave out what waits for its jitter, and what comes at another instant', async () => {
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
    expect(await onlyExecution(next)).toMatchObject({ started_at: plus(SLOT, 20) });
    await instance.worker.drained();
    expect(await statuses()).toEqual({ SUCCESS: MANY + 1, PENDING: 1 });
  });

  it('are shared by instances that prepare at once, none started twice', async () => {
    const one = scene.instance({ ...ROOM, maxConcurrencyPerHost: 30 });
    const other = scene.instance({ ...ROOM, maxConcurrencyPerHost: 30 });
    const gate = scene.target.gate('/work');
    await scheduled(one, 60);
    await prepare(one, other);
    // The other one has found those held that it has places for.
    expect(await openTransactions()).toBe(1);
    await reachSlot(one, other);
    expect(await count(scene.pool, `job_executions WHERE claimed_by = '${one.instanceId}'`)).toBe(30);
    gate.open();
    for (const { worker } of [one, other]) await worker.drained();
    await other.work();
    expect(await count(scene.pool, `job_executions WHERE status = 'SUCCESS' AND claim_seq = 1`)).toBe(60);
    expect(scene.target.callsTo('/work')).toHaveLength(60);
  });

  it('are not prepared, and hold no job, where they are few', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, 25);
    await prepare(instance);
    expect(await openTransactions()).toBe(0);
    await reachSlot(instance);
    await instance.worker.drained();
    expect(await statuses()).toEqual({ SUCCESS: 25 });
  });
});

describe('prepared slots', () => {
  it('are made anew where their instant has passed for longer than their rows would admit', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await prepare(instance);
    scene.clock.set(plus(SLOT, 51));
    await instance.planner.runOnce();
    expect(await openTransactions()).toBe(0);
    expect(await count(scene.pool, 'job_executions WHERE lateness_ms = 51')).toBe(MANY);
    await instance.worker.drained();
  });

  it('have those come first who change a job before, and those last who wait for it', async () => {
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

  it('are left as they were by a planner that stops', async () => {
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

  it('are not prepared by an instance whose worker has stopped', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await instance.worker.stop();
    await prepare(instance);
    expect(await openTransactions()).toBe(0);
    await reachSlot(instance);
    expect(await statuses()).toEqual({ PENDING: MANY });
  });

  it('come to nothing where one of them is refused, and are then started apart', async () => {
    const instance = scene.instance(ROOM);
    const [poison] = (await scheduled(instance, MANY + 1)) as [Job];
    await refuseExecutionsOf(scene.pool, [poison.id]);
    await prepare(instance);
    expect(await openTransactions()).toBe(0);
    await reachSlot(instance);
    await instance.planner.runOnce();
    await instance.work();
    expect(await executionsOf(scene.pool, poison.id)).toEqual([]);
    expect(await statuses()).toEqual({ SUCCESS: MANY });
  });

  it('come to nothing with their connection, and are started all the same', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await prepare(instance);
    await scene.pool.query(
      `SELECT pg_terminate_backend(pid, 5000) FROM ${OF_THIS_DATABASE} AND state = 'idle in transaction'`,
    );
    await reachSlot(instance);
    expect(await statuses()).toEqual({ RUNNING: MANY });
    await instance.worker.drained();
    expect(scene.target.callsTo('/work')).toHaveLength(MANY);
  });

  it('are not started where the log cannot be told of it', async () => {
    const instance = scene.instance(ROOM);
    await scheduled(instance, MANY);
    await prepare(instance);
    await refuseRowsOf(scene.pool, 'event_log');
    await reachSlot(instance);
    expect(await openTransactions()).toBe(0);
    expect(await statuses()).toEqual({});
    expect(scene.target.callsTo('/work')).toEqual([]);
  });
});
