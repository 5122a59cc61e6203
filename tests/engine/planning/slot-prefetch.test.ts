import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../../src/domain/values/public-id.ts';
import { slotExecutionId } from '../../../src/domain/schedule/slot-id.ts';
import { CALLER, createJob, reference, trigger, valueOf, type TestInstance } from '../../support/instance.ts';
import { plus, START } from '../../support/manual-clock.ts';
import { insertJobsOfSlot } from '../../support/many-slots.ts';
import { acceptAll, refuseExecutionsOf } from '../../support/refused-rows.ts';
import { count, eventsOf, executionsOf, readExecution, readRow, type Row } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { startedAtSlot, toldOfStart } from '../../support/started-slots.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
const SECOND_MS = 1_000;
const SLOT = plus(START, 10 * SECOND_MS);
/** Every ten seconds. */
const SCHEDULE = '*/10 * * * * *';

const scheduled = (instance: TestInstance, input: Parameters<typeof createJob>[1] = {}) =>
  createJob(instance, { api: `${scene.target.url}/work`, schedule: SCHEDULE, ...input });

/** Lets planners read the jobs shortly before the slot. */
async function prefetch(...instances: TestInstance[]): Promise<void> {
  scene.clock.set(plus(SLOT, -150));
  for (const { planner } of instances) await planner.runOnce();
}

/** Lets planners prepare the slot when it is near, and sets the clock to it. */
async function reachSlot(...instances: TestInstance[]): Promise<void> {
  scene.clock.set(plus(SLOT, -15));
  for (const { planner } of instances) await planner.runOnce();
  scene.clock.set(SLOT);
  await Promise.all(instances.map(({ planner }) => planner.runOnce()));
}

const onlyExecution = async (job: { id: string }): Promise<Row | undefined> => {
  const [execution, ...others] = await executionsOf(scene.pool, job.id);
  expect(others).toEqual([]);
  return execution;
};

describe('a prefetched slot', () => {
  it('is started when it is due, without waiting for a claim', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/work');
    const job = await scheduled(instance, { priority: 7, retryPolicy: { maxRetries: 2 } });
    await prefetch(instance);
    await reachSlot(instance);

    const { instanceId } = instance;
    expect(await onlyExecution(job)).toMatchObject({
      ...startedAtSlot({ job, slot: SLOT, instanceId }),
      max_attempts: 3,
      priority: 7,
      host: new URL(scene.target.url).host,
    });
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({
      next_run_at: plus(SLOT, 10 * SECOND_MS),
      status: 'ACTIVE',
      version: 1,
    });
    gate.open();
    await instance.worker.drained();
    expect(scene.target.callsTo('/work')).toHaveLength(1);
    expect(await onlyExecution(job)).toMatchObject({ status: 'SUCCESS', attempt_count: 1 });
  });

  it('has the usual events, the plan before the start', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    await prefetch(instance);
    instance.wakeUps.woken.length = 0;
    await reachSlot(instance);
    expect(instance.wakeUps.woken).toEqual(['events']);
    await instance.worker.drained();

    const { instanceId } = instance;
    expect((await eventsOf(scene.pool, job.id)).slice(1)).toMatchObject(
      toldOfStart({ job, slot: SLOT, instanceId }),
    );
  });

  it('writes nothing before it is due', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    const before = await readRow(scene.pool, 'jobs', job.id);
    await prefetch(instance);
    scene.clock.set(plus(SLOT, -1));
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toEqual([]);
    expect(await readRow(scene.pool, 'jobs', job.id)).toEqual(before);
  });

  it('becomes available after its jitter, and is claimed then', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance, { jitterMs: 5_000 });
    await prefetch(instance);
    await reachSlot(instance);
    const planned = await onlyExecution(job);
    expect(planned).toMatchObject({ status: 'PENDING', claim_seq: 0, started_at: null, attempt_count: 0 });
    scene.clock.set(planned?.['available_at'] as Date);
    expect(scene.clock.now() > SLOT).toBe(true);
    await instance.work();
    expect(await onlyExecution(job)).toMatchObject({ status: 'SUCCESS' });
  });

  it('is started once when several instances have prefetched it', async () => {
    const one = scene.instance();
    const instances = [one, scene.instance(), scene.instance()];
    const jobs = await Promise.all(Array.from({ length: 60 }, () => scheduled(one)));
    await prefetch(...instances);
    await reachSlot(...instances);
    // The instance with most of them may have no place for the last ones.
    for (const instance of instances) {
      await instance.worker.drained();
      await instance.work();
    }
    for (const job of jobs)
      expect(await onlyExecution(job)).toMatchObject({ status: 'SUCCESS', claim_seq: 1 });
    expect(scene.target.callsTo('/work')).toHaveLength(jobs.length);
    expect(await count(scene.pool, `event_log WHERE kind = 'EXECUTION_STARTED'`)).toBe(jobs.length);
  });

  it('is left to the other instances when its own is stopping', async () => {
    const [stopping, other] = [scene.instance(), scene.instance()];
    const job = await scheduled(stopping);
    await prefetch(stopping);
    await stopping.worker.stop();
    await reachSlot(stopping);
    expect(await onlyExecution(job)).toMatchObject({ status: 'PENDING' });
    await other.work();
    expect(await onlyExecution(job)).toMatchObject({ status: 'SUCCESS', claimed_by: other.instanceId });
  });

  it('follows the misfire policy when it is handled too late', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance, { misfirePolicy: 'SKIP', misfireGraceMs: 2_000 });
    await prefetch(instance);
    scene.clock.set(plus(SLOT, 5 * SECOND_MS));
    await instance.planner.runOnce();
    expect(await onlyExecution(job)).toMatchObject({ status: 'SKIPPED', skip_reason: 'MISFIRE' });
  });

  it('runs for each of its instants when several have passed', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    await prefetch(instance);
    scene.clock.set(plus(SLOT, 25 * SECOND_MS));
    await instance.planner.runOnce();
    await instance.work();
    const executions = await executionsOf(scene.pool, job.id);
    expect(executions.map((execution) => execution['scheduled_at'])).toEqual([
      SLOT,
      plus(SLOT, 10 * SECOND_MS),
      plus(SLOT, 20 * SECOND_MS),
    ]);
    expect(executions.map((execution) => execution['status'])).toEqual(['SUCCESS', 'SUCCESS', 'SUCCESS']);
  });
});

describe('a change between the prefetch and the slot', () => {
  it('applies when the job is paused', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    await prefetch(instance);
    valueOf(await instance.commands.pauseJob(CALLER, reference(job)));
    await reachSlot(instance);
    expect(await executionsOf(scene.pool, job.id)).toEqual([]);
  });

  it('applies when the job is deleted', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    await prefetch(instance);
    valueOf(await instance.commands.deleteJob(CALLER, reference(job)));
    await reachSlot(instance);
    expect(await executionsOf(scene.pool, job.id)).toEqual([]);
  });

  it('applies when the job gets another URL', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    await prefetch(instance);
    const api = `${scene.target.url}/other`;
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), api, priority: 9 }));
    await reachSlot(instance);
    await instance.work();
    expect(await onlyExecution(job)).toMatchObject({ status: 'SUCCESS', priority: 9 });
    expect([scene.target.callsTo('/work').length, scene.target.callsTo('/other').length]).toEqual([0, 1]);
  });

  it('applies when the job gets other times', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    await prefetch(instance);
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), schedule: '5,15,25 * * * * *' }));
    await reachSlot(instance);
    expect(await executionsOf(scene.pool, job.id)).toEqual([]);
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ next_run_at: plus(SLOT, 5_000) });
  });

  it('applies when the job gets an earlier time', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    await scheduled(instance);
    await prefetch(instance);
    const sooner = plus(SLOT, -50);
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), schedule: null, runAt: sooner }));
    await instance.planner.runOnce();
    scene.clock.set(sooner);
    await instance.planner.runOnce();
    await instance.work();
    expect(await onlyExecution(job)).toMatchObject({ scheduled_at: sooner, lateness_ms: 0 });
  });

  it('applies when the job may no longer overlap itself', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/work');
    const job = await scheduled(instance);
    await trigger(instance, job);
    await instance.worker.runOnce();
    await prefetch(instance);
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), concurrencyPolicy: 'FORBID' }));
    await reachSlot(instance);
    const ofSlot = await readExecution(scene.pool, slotExecutionId(job.id, SLOT));
    expect(ofSlot).toMatchObject({ status: 'SKIPPED', skip_reason: 'OVERLAP' });
    gate.open();
    await instance.worker.drained();
  });

  it('applies when the job gets a dependency', async () => {
    const instance = scene.instance();
    const upstream = await createJob(instance);
    const job = await scheduled(instance);
    await prefetch(instance);
    const edge = {
      jobId: encodePublicId('Job', job.id),
      dependsOnId: encodePublicId('Job', upstream.id),
    };
    valueOf(await instance.commands.addJobDependency(CALLER, edge));
    await reachSlot(instance);
    expect(await onlyExecution(job)).toMatchObject({
      status: 'SKIPPED',
      skip_reason: 'DEPENDENCY_NOT_MET',
    });
  });

  it.each([0, 10, 20])('applies when it skips the slot of %i seconds later', async (laterSeconds) => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    await prefetch(instance);
    const skipped = plus(SLOT, laterSeconds * SECOND_MS);
    const jobId = encodePublicId('Job', job.id);
    valueOf(await instance.commands.skipRun(CALLER, { jobId, scheduledAt: skipped }));
    await reachSlot(instance);
    await instance.work();
    const slots = [0, 10, 20].map((seconds) => plus(SLOT, seconds * SECOND_MS));
    const [next] = slots.filter((slot) => slot > SLOT && slot.getTime() !== skipped.getTime());
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ next_run_at: next });
    for (const slot of slots.slice(1)) {
      scene.clock.set(slot);
      await instance.planner.runOnce();
      await instance.work();
    }
    const outcomes = (await executionsOf(scene.pool, job.id)).map((execution) => [
      (execution['scheduled_at'] as Date).toISOString(),
      execution['status'],
    ]);
    expect(Object.fromEntries(outcomes)).toEqual(
      Object.fromEntries(
        slots.map((slot) => [
          slot.toISOString(),
          slot.getTime() === skipped.getTime() ? 'SKIPPED' : 'SUCCESS',
        ]),
      ),
    );
  });

  it('applies when a new job has the same slot', async () => {
    const instance = scene.instance();
    await scheduled(instance);
    await prefetch(instance);
    const late = await scheduled(instance);
    await instance.planner.runOnce();
    await reachSlot(instance);
    await instance.planner.runOnce();
    await instance.work();
    expect(await onlyExecution(late)).toMatchObject({ status: 'SUCCESS', lateness_ms: 0 });
  });
});

describe('the planner', () => {
  it('polls again for changes that were published during a slot', async () => {
    const instance = scene.instance();
    await scheduled(instance);
    const { planner } = instance;
    planner.start();
    await prefetch(instance);
    await scheduled(instance, { schedule: '13 * * * * *' });
    scene.clock.set(SLOT);
    planner.wake();
    const restMs = await until(() => {
      const ms = (planner.dueAtMs ?? 0) - performance.now();
      return ms > 0 && ms;
    });
    expect(restMs).toBeLessThan(5_000);
  });

  it('forgets no slot that it could not start while the database was away', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    const next = await scheduled(instance, { schedule: '@every 10s', startAt: plus(SLOT, 50) });
    await prefetch(instance);
    await refuseExecutionsOf(scene.pool, [job.id], '53100');
    scene.clock.set(SLOT);
    await expect(instance.planner.runOnce()).rejects.toThrow('Refused by a test.');
    await acceptAll(scene.pool);
    scene.clock.set(plus(SLOT, SECOND_MS));
    await instance.planner.runOnce();
    await instance.work();
    expect(await onlyExecution(next)).toMatchObject({ status: 'SUCCESS' });
    expect(await onlyExecution(job)).toMatchObject({ status: 'SUCCESS' });
  });

  it('finds the changed state of a job, also when the clock was set back', async () => {
    const instance = scene.instance();
    const job = await scheduled(instance);
    await prefetch(instance);
    scene.clock.set(plus(SLOT, -3_600 * SECOND_MS));
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), schedule: '15 * * * * *' }));
    await instance.planner.runOnce();
    scene.clock.set(plus(SLOT, -3_590 * SECOND_MS));
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toHaveLength(1);
  });
});

describe('of slots at the same instant', () => {
  it('those that would take too long to prefetch are planned as usual', async () => {
    let readings = 0;
    // Pretends that each job takes 30 ms.
    const instance = scene.instance({ monotonicMs: () => 30 * readings++ });
    for (let n = 0; n < 6; n += 1) await scheduled(instance);
    await prefetch(instance);
    await reachSlot(instance);
    expect(await count(scene.pool, `job_executions WHERE status = 'RUNNING'`)).toBe(3);
    expect(await count(scene.pool, `job_executions WHERE status = 'PENDING'`)).toBe(3);
    await instance.worker.drained();
  });

  it('none passes one of higher priority whose result is not known yet', async () => {
    const instance = scene.instance({ maxConcurrencyPerHost: 1 });
    const low = await scheduled(instance, { priority: 1 });
    const high = await scheduled(instance, { priority: 9, concurrencyPolicy: 'FORBID' });
    const gate = scene.target.gate('/work');
    await prefetch(instance);
    await reachSlot(instance);
    await instance.worker.runOnce();
    expect(await onlyExecution(high)).toMatchObject({ status: 'RUNNING' });
    expect(await onlyExecution(low)).toMatchObject({ status: 'PENDING' });
    gate.open();
  });

  it('those of higher priority get the free places, and the others wait', async () => {
    const instance = scene.instance({ maxConcurrencyPerHost: 2 });
    const gate = scene.target.gate('/work');
    const jobs = [];
    for (const priority of [1, 9, 5, 7]) jobs.push(await scheduled(instance, { priority }));
    await prefetch(instance);
    instance.wakeUps.woken.length = 0;
    await reachSlot(instance);
    const statuses = await Promise.all(jobs.map(async (job) => (await onlyExecution(job))?.['status']));
    expect(statuses).toEqual(['PENDING', 'RUNNING', 'PENDING', 'RUNNING']);
    expect(instance.wakeUps.woken).toContain('executions');
    gate.open();
    instance.worker.start();
    await scene.target.received('/work', jobs.length);
  });

  it('none passes an execution that already waits for a place', async () => {
    const instance = scene.instance({ maxConcurrencyPerHost: 1 });
    const gate = scene.target.gate('/held');
    const held = await createJob(instance, { api: `${scene.target.url}/held`, priority: 10 });
    for (let run = 0; run < 2; run += 1) await trigger(instance, held);
    await instance.worker.runOnce();
    const job = await scheduled(instance, { priority: 0 });
    await prefetch(instance);
    // The place is free again, and the worker has not claimed since.
    gate.open();
    await instance.worker.drained();
    await reachSlot(instance);
    expect(await onlyExecution(job)).toMatchObject({ status: 'PENDING' });
    const statuses = (await executionsOf(scene.pool, held.id)).map(({ status }) => status);
    expect(statuses.sort()).toEqual(['PENDING', 'SUCCESS']);
  });

  it('one whose execution the database rejects delays no other', async () => {
    const instance = scene.instance();
    const poison = await scheduled(instance);
    const sound = await scheduled(instance);
    await prefetch(instance);
    await refuseExecutionsOf(scene.pool, [poison.id]);
    await reachSlot(instance);
    await instance.planner.runOnce();
    await instance.work();
    expect(await onlyExecution(sound)).toMatchObject({ status: 'SUCCESS' });
    expect(await executionsOf(scene.pool, poison.id)).toEqual([]);
  });

  it('none is delayed by one that waits for its jitter', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/work');
    const later = await scheduled(instance, { priority: 9, jitterMs: 5_000 });
    const jobs = await Promise.all(Array.from({ length: 30 }, () => scheduled(instance)));
    await prefetch(instance);
    await reachSlot(instance);
    expect(await onlyExecution(later)).toMatchObject({ status: 'PENDING' });
    for (const job of jobs) expect(await onlyExecution(job)).toMatchObject({ status: 'RUNNING' });
    gate.open();
    await instance.worker.drained();
  });

  it('all are started, in several statements when there are many', async () => {
    const instance = scene.instance({ maxConcurrency: 1_000, maxConcurrencyPerHost: 1_000 });
    const jobs = 300;
    await insertJobsOfSlot(scene.pool, jobs, SLOT, { api: `${scene.target.url}/work` });
    await prefetch(instance);
    await reachSlot(instance);
    await instance.worker.drained();
    expect(await count(scene.pool, `job_executions WHERE status = 'SUCCESS' AND lateness_ms = 0`)).toBe(jobs);
    expect(scene.target.callsTo('/work')).toHaveLength(jobs);
  });
});
