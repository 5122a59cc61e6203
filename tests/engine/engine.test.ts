import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { resumeEndedPauses } from '../../src/commands/jobs/resume-ended-pauses.ts';
import { createEngine, type Engine } from '../../src/engine/engine.ts';
import type { EngineOptions } from '../../src/engine/engine-options.ts';
import { createPoller } from '../../src/events/poller.ts';
import { createDatabaseClock } from '../../src/store/upkeep/database-clock.ts';
import {
  callbackUrl,
  createJob,
  DAY_MS,
  LEASE_MS,
  recordWakeUps,
  trigger,
  type TestInstance,
} from '../support/instance.ts';
import { insertDependency } from '../support/dependencies.ts';
import {
  attemptsOf,
  count,
  eventKindsOf,
  executionsOf,
  insertExecution,
  insertJob,
  readExecution,
  type Row,
} from '../support/rows.ts';
import { watchTicks } from '../support/rests.ts';
import { useScene } from '../support/scene.ts';
import { until } from '../support/until.ts';

const scene = useScene();

describe('a running engine', () => {
  it('runs a triggered job as soon as it is woken, not at the next poll', async () => {
    const { engine, instance, wakeUps } = await engineOf();
    scene.clock.set(new Date(Date.now() - 60_000));
    await engine.start();
    const job = await createJob(instance, { api: `${scene.target.url}/hook` });
    const id = await trigger(instance, job);
    wakeUps.wake('executions');
    await until(async () => (await readExecution(scene.pool, id))['status'] === 'SUCCESS');
    expect(engine.stalledLoops()).toEqual([]);
    await engine.stop();
  });
});

describe('leases, while the poller polls', () => {
  it('are not read by the rescuer as well, which still knows when they end', async () => {
    const leaseMs = 2_600;
    const clock = await createDatabaseClock(scene.pool);
    const poller = createPoller({ db: scene.pool, clock, intervalMs: 60_000, onError: () => undefined });
    const { engine, instance } = await engineOf({ clock, poller, leaseMs });
    const asked = vi.spyOn(instance.pool, 'query');
    const asks = () => asked.mock.calls.filter(([query]) => isNamed(query, 'next-lease-end')).length;
    const { rests } = watchTicks();
    await poller.runOnce();
    await engine.start();
    await until(async () => {
      await poller.runOnce();
      return rests.filter((ms) => ms === leaseMs / 2).length >= 2;
    });
    expect(asks()).toBe(0);

    const endsAt = new Date(clock.now().getTime() + leaseMs);
    const job = await createJob(instance, { api: `${scene.target.url}/hook` });
    const id = await insertExecution(scene.pool, job.id, 'RUNNING', { lease_expires_at: endsAt });
    await until(async () => {
      await poller.runOnce();
      return (await attemptsOf(scene.pool, id)).length > 0;
    });
    const [lost] = await attemptsOf(scene.pool, id);
    expect((lost?.['finished_at'] as Date).getTime()).toBeLessThan(endsAt.getTime() + 1_000);
    expect(asks()).toBeGreaterThan(0);
    await engine.stop();
  });
});

const isNamed = (query: unknown, name: string) => (query as { name?: string }).name === name;

describe('a run that a dependency triggers', () => {
  it('runs as soon as the one before it has ended, if it must wait for that', async () => {
    const { engine, instance, wakeUps } = await engineOf();
    scene.clock.set(new Date(Date.now() - 60_000));
    const upstream = await createJob(instance, { api: `${scene.target.url}/up` });
    const queue = { api: `${scene.target.url}/down`, concurrencyPolicy: 'QUEUE' as const };
    const downstream = await createJob(instance, queue);
    await insertDependency(scene.pool, downstream.id, upstream.id);
    const gate = scene.target.gate('/down');
    await engine.start();
    const statuses = async () =>
      (await executionsOf(scene.pool, downstream.id)).map(({ status }) => status as string).sort();

    for (const expected of [['RUNNING'], ['BLOCKED', 'RUNNING']]) {
      await trigger(instance, upstream);
      wakeUps.wake('executions');
      await until(async () => (await statuses()).join() === expected.join());
    }
    gate.open();
    // Long before the next poll.
    await until(async () => (await statuses()).join() === 'SUCCESS,SUCCESS', { timeoutMs: 5_000 });
    await engine.stop();
  });
});

describe('the loops of an engine', () => {
  it('are listed by name when their step has been due for too long', async () => {
    const { engine } = await engineOf();
    const { rests } = watchTicks();
    await engine.start();
    // Planner, worker, unblocker and callback watch. They have no work.
    await until(() => rests.filter((ms) => ms === 600_000).length === 4);
    const startedMs = performance.now();
    const clock = vi.spyOn(performance, 'now');
    onTestFinished(() => {
      clock.mockRestore();
    });
    clock.mockReturnValue(startedMs + 20_000);
    expect(engine.stalledLoops()).toEqual(['lease keeper']);
    clock.mockReturnValue(startedMs + 700_000);
    expect(engine.stalledLoops()).toEqual(['planner', 'worker', 'lease keeper']);
    clock.mockRestore();
    await engine.stop();
  });
});

describe('stopping an engine', () => {
  it('lets running calls end within the grace, and claims nothing more', async () => {
    const { engine, instanceId } = await engineOf({ shutdownGraceMs: 10_000 });
    const gate = scene.target.gate('/slow');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/slow` });
    const running = await insertDue(job);
    await engine.start();
    await scene.target.received('/slow');
    const stopping = engine.stop();
    const waiting = await insertDue(job);
    gate.open();
    await stopping;
    expect(await readExecution(scene.pool, running)).toMatchObject({ status: 'SUCCESS' });
    expect(await readExecution(scene.pool, waiting)).toMatchObject({ status: 'PENDING', attempt_count: 0 });
    expect(await instanceRow(instanceId)).toMatchObject({ running_executions: 0 });
  });

  it('gives back claims that wait for a place while running calls end', async () => {
    const { engine } = await engineOf({ shutdownGraceMs: 10_000, maxConcurrencyPerHost: 1 });
    const { host } = new URL(scene.target.url);
    const aMinuteAgo = new Date(Date.now() - 60_000);
    const gate = scene.target.gate('/slow');
    const quick = await insertJob(scene.pool, { api: `${scene.target.url}/quick` });
    const slow = await insertJob(scene.pool, { api: `${scene.target.url}/slow` });
    for (let n = 0; n < 5; n += 1)
      await insertExecution(scene.pool, quick, 'PENDING', { host, priority: 1, at: aMinuteAgo });
    for (let n = 0; n < 20; n += 1)
      await insertExecution(scene.pool, slow, 'PENDING', { host, at: aMinuteAgo });
    const running = () => count(scene.pool, `job_executions WHERE job_id = '${slow}' AND status = 'RUNNING'`);
    await engine.start();
    await scene.target.received('/slow');
    await until(async () => (await running()) > 1);
    const stopping = engine.stop();
    await until(async () => (await running()) === 1);
    gate.open();
    await stopping;
    expect(scene.target.callsTo('/slow')).toHaveLength(1);
  });

  it('does not wait for a statement of the pruner, which can take minutes', async () => {
    const { engine, instanceId } = await engineOf();
    await scene.pool.query(
      `INSERT INTO event_log (position, at, kind) VALUES (0, '2000-01-01', 'INSTANCE_STARTED')`,
    );
    const somebody = await scene.pool.connect();
    try {
      await somebody.query('BEGIN; SELECT 1 FROM event_log WHERE position = 0 FOR UPDATE');
      await engine.start();
      await until(
        async () => (await count(scene.pool, `pg_stat_activity WHERE wait_event_type = 'Lock'`)) > 0,
      );
      await engine.stop();
    } finally {
      await somebody.query('ROLLBACK');
      somebody.release();
    }
    expect(await instanceRow(instanceId)).toMatchObject({ stopped_at: expect.any(Date) as Date });
  });

  it('gives back calls that exceed the grace, and notifies the other instances', async () => {
    const { engine, wakeUps } = await engineOf({ shutdownGraceMs: 10 });
    scene.target.script('/slow', 'hang');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/slow` });
    const id = await insertDue(job);
    await engine.start();
    await scene.target.received('/slow');
    wakeUps.woken.length = 0;
    await engine.stop();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'PENDING', rescue_count: 0 });
    expect(wakeUps.woken).toContain('executions');
    expect(await eventKindsOf(scene.pool)).toEqual([
      'INSTANCE_STARTED',
      'EXECUTION_STARTED',
      'EXECUTION_INTERRUPTED',
      'INSTANCE_STOPPED',
    ]);
  });

  it('during its start leaves nothing running', async () => {
    const ticks = watchTicks();
    const { engine, instanceId } = await engineOf();
    const starting = engine.start();
    await engine.stop();
    await starting;
    expect(await instanceRow(instanceId)).toMatchObject({ stopped_at: expect.any(Date) as Date });
    expect(ticks.pending()).toBe(0);
  });

  it('before its start writes nothing', async () => {
    const { engine } = await engineOf();
    await engine.stop();
    expect(await eventKindsOf(scene.pool)).toEqual([]);
  });

  it('is final: a later start does nothing', async () => {
    const ticks = watchTicks();
    const { engine } = await engineOf();
    await engine.start();
    await engine.stop();
    await engine.start();
    expect(await eventKindsOf(scene.pool)).toEqual(['INSTANCE_STARTED', 'INSTANCE_STOPPED']);
    expect(ticks.pending()).toBe(0);
  });

  it('resolves for all callers once it has stopped', async () => {
    const { engine, instanceId } = await engineOf();
    await engine.start();
    await Promise.race([engine.stop(), engine.stop()]);
    expect(await instanceRow(instanceId)).toMatchObject({ stopped_at: expect.any(Date) as Date });
  });

  it('and starting, many times and at once, leaves no timer, no RUNNING execution and no instance', async () => {
    const ticks = watchTicks();
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/hook` });
    const parts = await Promise.all(Array.from({ length: 12 }, () => engineOf({ shutdownGraceMs: 2_000 })));
    await Promise.all(
      parts.map(async ({ engine }, index) => {
        for (let n = 0; n < 4; n += 1) await insertDue(job);
        const starting = engine.start();
        // Stopped at every stage: at once, after the start, and after a claim.
        if (index % 3 > 0) await starting;
        if (index % 3 > 1) await until(() => scene.target.calls.length > index);
        await Promise.all([engine.stop(), engine.stop(), starting]);
      }),
    );
    expect(await count(scene.pool, `job_executions WHERE status = 'RUNNING'`)).toBe(0);
    expect(await count(scene.pool, 'scheduler_metadata WHERE stopped_at IS NULL')).toBe(0);
    expect(ticks.pending()).toBe(0);
  });
});

type Parts = {
  engine: Engine;
  instance: TestInstance;
  instanceId: string;
  wakeUps: ReturnType<typeof recordWakeUps>;
};

/** A whole engine on the scene's database, with the database's own clock. */
async function engineOf(overrides: Partial<EngineOptions> = {}): Promise<Parts> {
  const instance = scene.instance();
  const { pool, sender, commandDeps } = instance;
  const clock = await createDatabaseClock(pool);
  const instanceId = `engine-${randomUUID().slice(0, 8)}`;
  const wakeUps = recordWakeUps();
  const engine = createEngine({
    pool,
    leasePool: pool,
    clock,
    sender,
    wakeUps,
    resumePaused: () => resumeEndedPauses({ ...commandDeps, clock }),
    newId: commandDeps.newId,
    random: () => 0,
    callbackUrl,
    instance: { instanceId, hostname: 'test-host', version: 'test', startedAt: clock.now() },
    maxConcurrency: 10,
    maxConcurrencyPerHost: 10,
    leaseMs: LEASE_MS,
    poller: createPoller({ db: pool, clock, intervalMs: 60_000, onError: () => undefined }),
    heartbeatIntervalMs: 30_000,
    shutdownGraceMs: 5_000,
    executionRetentionMs: 30 * DAY_MS,
    eventRetentionMs: 3 * DAY_MS,
    auditRetentionMs: 365 * DAY_MS,
    ...overrides,
  });
  return { engine, instance, instanceId, wakeUps };
}

/** The engine follows the database's clock. The tests' own START is far ahead of that clock. */
async function insertDue(jobId: string): Promise<string> {
  return insertExecution(scene.pool, jobId, 'PENDING', { at: new Date(Date.now() - 60_000) });
}

async function instanceRow(instanceId: string): Promise<Row | undefined> {
  const { rows } = await scene.pool.query<Row>('SELECT * FROM scheduler_metadata WHERE instance_id = $1', [
    instanceId,
  ]);
  return rows[0];
}
