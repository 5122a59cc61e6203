import { describe, expect, it, onTestFinished } from 'vitest';
import type { ClaimKind } from '../../src/store/executions/claiming.ts';
import { insertDependency } from '../support/dependencies.ts';
import { claimFor } from '../support/claims.ts';
import { START, plus } from '../support/manual-clock.ts';
import { createJob, reference, trigger } from '../support/instance.ts';
import type { TestInstance } from '../support/instance.ts';
import { count, eventsOf, executionsOf, insertExecution, insertJob, readExecution } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { createGate, startTarget } from '../support/target-server.ts';
import { until } from '../support/until.ts';

const scene = useScene();
const SECOND_MS = 1_000;
/** First in the queue. */
const HANGS = { host: 'hangs', priority: 1 };
const WAITING_FOR_LOCKS = `pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`;

type Overrides = Parameters<typeof createJob>[1];

/** A job of every second whose calls hang until the gate opens. */
async function hangingJob(instance: TestInstance, overrides: Overrides) {
  const gate = createGate();
  scene.target.script('/slow', { after: gate.opened });
  const job = await createJob(instance, {
    api: `${scene.target.url}/slow`,
    schedule: '* * * * * *',
    ...overrides,
  });
  return { job, gate };
}

/** Plans the next second's slot, and starts every execution that may start. */
async function nextSecond(instance: TestInstance): Promise<void> {
  scene.clock.advance(SECOND_MS);
  await instance.planner.runOnce();
  await instance.worker.runOnce();
}

/** Plans due jobs while a worker's claim of waiting executions is not yet committed. */
async function planDuringClaim(instance: TestInstance, kind: ClaimKind): Promise<void> {
  const claiming = await scene.pool.connect();
  onTestFinished(() => {
    claiming.release();
  });
  await claiming.query('BEGIN');
  await claimFor(claiming, 'another-instance', scene.clock.now(), { kind, limit: 1 });
  const planning = instance.planner.runOnce();
  await until(async () => (await count(scene.pool, WAITING_FOR_LOCKS)) > 0);
  await claiming.query('COMMIT');
  await planning;
}

/** The executions' triggers and statuses, in the order of their creation. */
async function runsOf(jobId: string): Promise<string[]> {
  const { rows } = await scene.pool.query<{ run: string }>(
    `SELECT trigger || ' ' || status AS run FROM job_executions WHERE job_id = $1 ORDER BY created_at, status, id`,
    [jobId],
  );
  return rows.map(({ run }) => run);
}

const statusesOf = async (jobId: string) =>
  (await executionsOf(scene.pool, jobId)).map((row) => [row['status'], row['skip_reason']]);

describe('a slot that comes while the one before it is still running', () => {
  it('runs beside it under ALLOW', async () => {
    const instance = scene.instance();
    const { job, gate } = await hangingJob(instance, {});
    await nextSecond(instance);
    await nextSecond(instance);
    expect(await statusesOf(job.id)).toEqual([
      ['RUNNING', null],
      ['RUNNING', null],
    ]);
    gate.open();
    await instance.worker.drained();
  });

  it('is skipped with its reason under FORBID, also when another instance plans it', async () => {
    const instance = scene.instance();
    const other = scene.instance();
    const { job, gate } = await hangingJob(instance, { concurrencyPolicy: 'FORBID' });
    await nextSecond(instance);
    await nextSecond(other);
    expect(await statusesOf(job.id)).toEqual([
      ['RUNNING', null],
      ['SKIPPED', 'OVERLAP'],
    ]);
    gate.open();
    await instance.worker.drained();
    await nextSecond(other);
    await other.worker.drained();
    expect((await statusesOf(job.id)).at(-1)).toEqual(['SUCCESS', null]);
  });

  it('waits under QUEUE, and runs when the one before has ended', async () => {
    const instance = scene.instance();
    const { job, gate } = await hangingJob(instance, { concurrencyPolicy: 'QUEUE' });
    await nextSecond(instance);
    await nextSecond(instance);
    await nextSecond(instance);
    await instance.unblocker.runOnce();
    expect((await statusesOf(job.id)).map(([status]) => status)).toEqual(['RUNNING', 'BLOCKED', 'BLOCKED']);

    gate.open();
    for (let turn = 0; turn < 3; turn += 1) {
      await instance.worker.drained();
      await instance.unblocker.runOnce();
      await instance.worker.runOnce();
    }
    const rows = await executionsOf(scene.pool, job.id);
    expect(rows.map((row) => row['status'])).toEqual(['SUCCESS', 'SUCCESS', 'SUCCESS']);
    const slots = scene.target.callsTo('/slow').map((call) => call.headers['x-scheduled-at']);
    expect(slots).toEqual([...slots].sort());
    const events = await eventsOf(scene.pool, job.id);
    expect(
      events.filter((event) => event['execution_id'] === rows[1]?.['id']).map((event) => event['kind']),
    ).toEqual(['EXECUTION_PLANNED', 'EXECUTION_UNBLOCKED', 'EXECUTION_STARTED', 'EXECUTION_SUCCEEDED']);
  });

  it('waits under QUEUE only for its own job, however many other jobs are blocked before it', async () => {
    const instance = scene.instance();
    const { rows } = await scene.pool.query<{ id: string }>(
      `INSERT INTO jobs (id, name, api, concurrency_policy, created_at, updated_at)
       SELECT gen_random_uuid(), 'Job ' || n, 'http://queue.test/', 'QUEUE', $1, $1 FROM generate_series(1, 1001) AS n
       RETURNING id`,
      [START],
    );
    const ids = rows.map(({ id }) => id).sort();
    await scene.pool.query(
      `INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, host)
       SELECT gen_random_uuid(), job_id, status, 'MANUAL', $1, $1, 'queue.test'
       FROM unnest($2::uuid[]) AS job_id, unnest('{PENDING,BLOCKED}'::execution_status[]) AS status`,
      [START, ids],
    );
    const last = ids.at(-1) ?? '';
    await scene.pool.query(`DELETE FROM job_executions WHERE job_id = $1 AND status = 'PENDING'`, [last]);
    for (let batch = 1; batch <= 3; batch += 1) await instance.unblocker.runOnce();
    expect((await statusesOf(last)).map(([status]) => status)).toEqual(['PENDING']);
    expect(await count(scene.pool, `job_executions WHERE status = 'BLOCKED'`)).toBe(1_000);
  });

  it('replaces it under REPLACE: the running one is cancelled, and then the slot runs', async () => {
    const instance = scene.instance();
    const { job, gate } = await hangingJob(instance, { concurrencyPolicy: 'REPLACE' });
    await nextSecond(instance);
    await until(() => scene.target.callsTo('/slow').length === 1);
    instance.wakeUps.woken.length = 0;
    await nextSecond(instance);
    expect((await statusesOf(job.id)).map(([status]) => status)).toEqual(['RUNNING', 'BLOCKED']);
    // The instance that runs it stops it now, not when it extends its leases next.
    expect(instance.wakeUps.woken).toContain('cancellations');

    await instance.leaseKeeper.runOnce();
    await instance.worker.drained();
    gate.open();
    await instance.unblocker.runOnce();
    await instance.worker.runOnce();
    await instance.worker.drained();
    const [replaced, newer] = await executionsOf(scene.pool, job.id);
    expect(replaced).toMatchObject({
      status: 'CANCELLED',
      cancel_reason: 'A newer execution took its place.',
      error_message: expect.stringContaining('Reason: A newer execution took its place.') as string,
    });
    expect(newer).toMatchObject({ status: 'SUCCESS' });
  });

  it('sends no wake-up under REPLACE when nothing is running', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *', concurrencyPolicy: 'REPLACE' });
    for (let slot = 0; slot < 2; slot += 1) {
      scene.clock.advance(SECOND_MS);
      await instance.planner.runOnce();
    }
    expect(instance.wakeUps.woken).not.toContain('cancellations');
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      {
        status: 'CANCELLED',
        cancel_reason: 'A newer execution took its place.',
        error_message: 'Cancelled before it was started. Reason: A newer execution took its place.',
      },
      { status: 'PENDING' },
    ]);
  });

  it.each(['PENDING', 'RETRYING'] as const)(
    'waits under REPLACE for one that was %s, and that is claimed while the slot replaces it',
    async (status) => {
      const instance = scene.instance();
      const job = await createJob(instance, { schedule: '* * * * * *', concurrencyPolicy: 'REPLACE' });
      const replaced = await insertExecution(scene.pool, job.id, status);
      const now = scene.clock.advance(SECOND_MS);
      await planDuringClaim(instance, 'fresh');

      expect(await readExecution(scene.pool, replaced)).toMatchObject({
        status: 'RUNNING',
        cancel_requested_at: now,
      });
      expect((await statusesOf(job.id)).map(([each]) => each).sort()).toEqual(['BLOCKED', 'RUNNING']);
      expect(instance.wakeUps.woken).toContain('cancellations');
    },
  );

  it('stops the running one at once also when the run is manual or triggered by a dependency', async () => {
    const instance = scene.instance();
    const { job, gate } = await hangingJob(instance, { concurrencyPolicy: 'REPLACE', schedule: null });
    const upstream = await createJob(instance, { api: `${scene.target.url}/quick` });
    await insertDependency(scene.pool, job.id, upstream.id);
    const { woken } = instance.wakeUps;
    await trigger(instance, job);
    await instance.worker.runOnce();
    await scene.target.received('/slow');
    expect(woken).not.toContain('cancellations');
    await trigger(instance, job);
    expect(woken).toContain('cancellations');

    woken.length = 0;
    await trigger(instance, upstream);
    await instance.worker.runOnce();
    await until(() => woken.includes('cancellations'));
    gate.open();
    await instance.worker.drained();
  });
});

describe('an execution that a user runs again', () => {
  const REDRIVE = { trigger: 'REDRIVE' } as const;

  it('keeps its place under REPLACE, and the slot waits behind it until the next slot comes', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *', concurrencyPolicy: 'REPLACE' });
    await insertExecution(scene.pool, job.id, 'RETRYING', { ...REDRIVE, available_at: plus(START, 60_000) });
    await insertExecution(scene.pool, job.id, 'BLOCKED', REDRIVE);
    for (let slot = 0; slot < 2; slot += 1) {
      scene.clock.advance(SECOND_MS);
      await instance.planner.runOnce();
      await instance.unblocker.runOnce();
    }
    expect(await runsOf(job.id)).toEqual([
      'REDRIVE BLOCKED',
      'REDRIVE RETRYING',
      'SCHEDULE CANCELLED',
      'SCHEDULE BLOCKED',
    ]);
  });

  it('is not cancelled under REPLACE, and all of them run, the slot last', async () => {
    const instance = scene.instance();
    const { job, gate } = await hangingJob(instance, { concurrencyPolicy: 'REPLACE' });
    for (let run = 0; run < 3; run += 1) {
      await insertExecution(scene.pool, job.id, run === 0 ? 'PENDING' : 'BLOCKED', REDRIVE);
    }
    await instance.worker.runOnce();
    await scene.target.received('/slow');
    await nextSecond(instance);
    expect(instance.wakeUps.woken).not.toContain('cancellations');
    gate.open();
    for (let turn = 0; turn < 4; turn += 1) {
      await instance.worker.drained();
      await instance.unblocker.runOnce();
      await instance.worker.runOnce();
    }
    await instance.worker.drained();
    expect(await runsOf(job.id)).toEqual([...Array<string>(3).fill('REDRIVE SUCCESS'), 'SCHEDULE SUCCESS']);
    const slots = scene.target.callsTo('/slow').map((call) => call.headers['x-scheduled-at'] !== undefined);
    expect(slots).toEqual([false, false, false, true]);
  });

  it('leaves the unused places to the slot under REPLACE', async () => {
    const instance = scene.instance();
    const overlap = { concurrencyPolicy: 'REPLACE', maxConcurrency: 2 } as const;
    const job = await createJob(instance, { schedule: '* * * * * *', ...overlap });
    await insertExecution(scene.pool, job.id, 'PENDING');
    await insertExecution(scene.pool, job.id, 'RUNNING', REDRIVE);
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    expect((await runsOf(job.id)).sort()).toEqual([
      'MANUAL CANCELLED',
      'REDRIVE RUNNING',
      'SCHEDULE PENDING',
    ]);
  });

  it.each(['PENDING', 'RUNNING', 'BLOCKED'] as const)(
    'delays under REPLACE a manual run, and a run of a dependency, while it is %s',
    async (status) => {
      const instance = scene.instance();
      const job = await createJob(instance, { concurrencyPolicy: 'REPLACE' });
      const upstream = await createJob(instance, { api: `${scene.target.url}/quick` });
      await insertDependency(scene.pool, job.id, upstream.id);
      const again = await insertExecution(scene.pool, job.id, status, {
        ...REDRIVE,
        available_at: plus(START, 60_000),
      });
      await trigger(instance, job);
      await trigger(instance, upstream);
      await instance.worker.runOnce();
      await instance.worker.drained();
      expect((await runsOf(job.id)).sort()).toEqual(
        ['DEPENDENCY BLOCKED', 'MANUAL CANCELLED', `REDRIVE ${status}`].sort(),
      );
      expect(await readExecution(scene.pool, again)).toMatchObject({ cancel_requested_at: null });
    },
  );
});

describe('a catch-up that has not started', () => {
  const CATCH_UP = { trigger: 'CATCH_UP', scheduled_at: plus(START, -60_000), slot_count: 5 } as const;

  it('gives its place to a slot that is on time under FORBID', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *', concurrencyPolicy: 'FORBID' });
    const late = await insertExecution(scene.pool, job.id, 'PENDING', CATCH_UP);
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    expect(await runsOf(job.id)).toEqual(['CATCH_UP CANCELLED', 'SCHEDULE PENDING']);
    expect(await readExecution(scene.pool, late)).toMatchObject({
      cancel_reason: 'A newer execution took its place.',
    });
    expect((await eventsOf(scene.pool, job.id)).map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['EXECUTION_PLANNED', 'EXECUTION_CANCELLED']),
    );
    expect(instance.wakeUps.woken).not.toContain('cancellations');
  });

  it('keeps its place when it is claimed meanwhile, so two never run at once', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *', concurrencyPolicy: 'FORBID' });
    await insertExecution(scene.pool, job.id, 'PENDING', CATCH_UP);
    scene.clock.advance(SECOND_MS);
    await planDuringClaim(instance, 'backlog');
    expect(await runsOf(job.id)).toEqual(['CATCH_UP RUNNING', 'SCHEDULE SKIPPED']);
  });

  it('is not replaced when its place would not help', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *', concurrencyPolicy: 'FORBID' });
    await insertExecution(scene.pool, job.id, 'RUNNING');
    await insertExecution(scene.pool, job.id, 'PENDING', CATCH_UP);
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    expect((await runsOf(job.id)).sort()).toEqual(['CATCH_UP PENDING', 'MANUAL RUNNING', 'SCHEDULE SKIPPED']);
  });

  it('runs before the slot under QUEUE', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *', concurrencyPolicy: 'QUEUE' });
    await insertExecution(scene.pool, job.id, 'PENDING', CATCH_UP);
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    expect(await runsOf(job.id)).toEqual(['CATCH_UP PENDING', 'SCHEDULE BLOCKED']);
  });
});

describe('a catch-up that has started', () => {
  it('keeps its place while it waits for its next attempt', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *', concurrencyPolicy: 'FORBID' });
    const slot = { trigger: 'CATCH_UP', scheduled_at: plus(START, -60_000) } as const;
    await insertExecution(scene.pool, job.id, 'RETRYING', slot);
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    expect(await runsOf(job.id)).toEqual(['CATCH_UP RETRYING', 'SCHEDULE SKIPPED']);
  });
});

describe('maxConcurrency', () => {
  it('limits how many run at once, and the rest waits', async () => {
    const instance = scene.instance();
    const { job, gate } = await hangingJob(instance, { maxConcurrency: 2 });
    for (let second = 0; second < 4; second += 1) await nextSecond(instance);
    expect((await statusesOf(job.id)).map(([status]) => status)).toEqual([
      'RUNNING',
      'RUNNING',
      'BLOCKED',
      'BLOCKED',
    ]);
    gate.open();
    await instance.worker.drained();
    await instance.unblocker.runOnce();
    await instance.worker.runOnce();
    await instance.worker.drained();
    expect(new Set((await statusesOf(job.id)).map(([status]) => status))).toEqual(new Set(['SUCCESS']));
  });

  it('holds when many are triggered at once on two instances', async () => {
    const instances = [scene.instance(), scene.instance()] as const;
    const { job, gate } = await hangingJob(instances[0], { schedule: null, maxConcurrency: 3 });
    await Promise.all(
      Array.from({ length: 20 }, (_, index) => trigger(instances[index % 2 === 0 ? 0 : 1], job)),
    );
    const statuses = (await statusesOf(job.id)).map(([status]) => status);
    expect(statuses.filter((status) => status === 'PENDING')).toHaveLength(3);
    expect(statuses.filter((status) => status === 'BLOCKED')).toHaveLength(17);
    gate.open();
  });

  it('lets all waiting executions run when it is removed', async () => {
    const instance = scene.instance();
    const { job, gate } = await hangingJob(instance, { schedule: null, maxConcurrency: 1 });
    for (let run = 0; run < 4; run += 1) await trigger(instance, job);
    await instance.commands.updateJob(
      { actor: 'test', requestId: 'r', address: null },
      { ...reference(job), maxConcurrency: null },
    );
    await instance.unblocker.runOnce();
    expect(new Set((await statusesOf(job.id)).map(([status]) => status))).toEqual(new Set(['PENDING']));
    gate.open();
  });
});

describe('a host that hangs', () => {
  it('gets no more places than its share, and delays no other host', async () => {
    const instance = scene.instance({ maxConcurrency: 20, maxConcurrencyPerHost: 4 });
    const { job: hanging, gate } = await hangingJob(instance, { schedule: null });
    // To the scheduler, another host name for the same machine is another host.
    const elsewhere = scene.target.url.replace('127.0.0.1', 'localhost');
    const healthy = await createJob(instance, { api: `${elsewhere}/quick`, schedule: null });
    for (let run = 0; run < 120; run += 1) await trigger(instance, hanging);
    await trigger(instance, healthy);

    await instance.worker.runOnce();
    await until(async () => (await statusesOf(healthy.id))[0]?.[0] === 'SUCCESS');
    const statuses = (await statusesOf(hanging.id)).map(([status]) => status);
    expect(statuses.filter((status) => status === 'RUNNING')).toHaveLength(4);
    gate.open();
    await instance.worker.drained();
  });

  it('does not prevent the worker from claiming for other hosts as soon as new work arrives', async () => {
    let nowMs = 0;
    const instance = scene.instance({ maxConcurrencyPerHost: 2, monotonicMs: () => nowMs });
    const { job: hanging, gate } = await hangingJob(instance, { schedule: null });
    for (let run = 0; run < 900; run += 1) await insertExecution(scene.pool, hanging.id, 'PENDING', HANGS);
    // Each claim past them finds nothing, and the next one waits longer.
    for (let look = 0; look < 6; look += 1) {
      await instance.worker.runOnce();
      nowMs += 1_000;
    }
    await instance.worker.runOnce();
    nowMs += 150;
    const healthy = await insertJob(scene.pool, { api: 'http://127.0.0.1:9/' });
    const elsewhere = await insertExecution(scene.pool, healthy, 'PENDING', { host: 'elsewhere' });
    await instance.worker.runOnce();
    expect(await readExecution(scene.pool, elsewhere)).toMatchObject({ status: 'PENDING' });
    instance.worker.wake();
    await instance.worker.runOnce();
    expect(await readExecution(scene.pool, elsewhere)).not.toMatchObject({ status: 'PENDING' });
    gate.open();
    await instance.worker.drained();
  });
});

describe('many hosts that hang', () => {
  it('leave places to hosts without running calls', async () => {
    const target = await startTarget({ everyAddress: true });
    onTestFinished(target.close);
    const instance = scene.instance({ maxConcurrency: 20, maxConcurrencyPerHost: 4 });
    target.script('/hang', 'hang');
    const jobAt = (host: number, path: string) =>
      createJob(instance, { api: `${target.url.replace('127.0.0.1', `127.0.0.${host}`)}${path}` });
    for (let host = 2; host <= 7; host += 1) {
      const hanging = await jobAt(host, '/hang');
      for (let run = 0; run < 6; run += 1) await trigger(instance, hanging);
      scene.clock.advance(1);
    }
    const healthy = await jobAt(1, '/quick');
    for (let run = 0; run < 3; run += 1) await trigger(instance, healthy);

    instance.worker.start();
    await until(async () => (await statusesOf(healthy.id)).every(([status]) => status === 'SUCCESS'));
    // Four hosts come first and have the maximum of a host. The others have one reserved place each.
    const perHost = await scene.pool.query<{ calls: number }>(
      `SELECT count(*)::int AS calls FROM job_executions WHERE status = 'RUNNING' GROUP BY host ORDER BY 1`,
    );
    expect(perHost.rows.map(({ calls }) => calls)).toEqual([1, 1, 4, 4, 4, 4]);
  });
});
