import { describe, expect, it, vi } from 'vitest';
import {
  CALLER,
  createJob,
  reference,
  trigger,
  valueOf,
  type InstanceOptions,
  type TestInstance,
} from '../support/instance.ts';
import { plus, START } from '../support/manual-clock.ts';
import { executionsOf, readRow } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();
const SECOND_MS = 1_000;
const EACH_SECOND = '* * * * * *';

/** The `n`th second after the start. */
const second = (n: number) => plus(START, n * SECOND_MS);

const scheduled = (instance: TestInstance, input: Parameters<typeof createJob>[1] = {}) =>
  createJob(instance, { api: `${scene.target.url}/work`, schedule: EACH_SECOND, ...input });

/** An instance whose planner reports how often it has read the next slots. */
function watchedInstance(options: Partial<InstanceOptions> = {}): {
  instance: TestInstance;
  reads: () => unknown[];
} {
  const instance = scene.instance(options);
  const query = vi.spyOn(instance.pool, 'query');
  const reads = () => {
    const names = query.mock.calls.map(([statement]) => (statement as { name?: string }).name);
    query.mockClear();
    return names.filter((name) => name === 'upcoming' || name === 'next-planning');
  };
  return { instance, reads };
}

/** Lets the slots of a second come, prefetched shortly before. */
async function reach(instance: TestInstance, n: number): Promise<void> {
  for (const beforeMs of [100, 15, 0]) {
    scene.clock.set(plus(second(n), -beforeMs));
    await instance.planner.runOnce();
  }
  await instance.worker.drained();
}

const scheduledAtOf = async (job: { id: string }) =>
  (await executionsOf(scene.pool, job.id)).map((execution) => execution['scheduled_at']);

describe('a job whose next slot comes soon after the last one', () => {
  it('is not read again', async () => {
    const { instance, reads } = watchedInstance();
    const job = await scheduled(instance);
    await reach(instance, 1);
    reads();
    for (const n of [2, 3, 4]) await reach(instance, n);
    expect(reads()).toEqual([]);
    expect(await scheduledAtOf(job)).toEqual([1, 2, 3, 4].map(second));
    for (const execution of await executionsOf(scene.pool, job.id))
      expect(execution).toMatchObject({ status: 'SUCCESS', lateness_ms: 0, claim_seq: 1 });
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ next_run_at: second(5), version: 1 });
  });

  it('is read again when the slot is later than that', async () => {
    const { instance, reads } = watchedInstance();
    const job = await scheduled(instance, { schedule: '*/3 * * * * *' });
    await reach(instance, 3);
    reads();
    await reach(instance, 6);
    expect(reads()).toEqual(['upcoming']);
    expect(await scheduledAtOf(job)).toEqual([3, 6].map(second));
  });

  it('is read with another job that was created since', async () => {
    const { instance, reads } = watchedInstance();
    const job = await scheduled(instance);
    await reach(instance, 1);
    const other = await scheduled(instance);
    instance.planner.wake();
    reads();
    await reach(instance, 2);
    expect(reads()).toEqual(['next-planning', 'upcoming']);
    await reach(instance, 3);
    expect(await scheduledAtOf(job)).toEqual([1, 2, 3].map(second));
    expect(await scheduledAtOf(other)).toEqual([2, 3].map(second));
  });

  it('is planned together with jobs that are not remembered', async () => {
    const { instance } = watchedInstance();
    const job = await scheduled(instance);
    const limited = await scheduled(instance, { concurrencyPolicy: 'FORBID' });
    for (const n of [1, 2, 3]) {
      await reach(instance, n);
      await instance.work();
    }
    for (const one of [job, limited]) expect(await scheduledAtOf(one)).toEqual([1, 2, 3].map(second));
  });

  it('is called in the order of priorities', async () => {
    const { instance, reads } = watchedInstance({ maxConcurrency: 1 });
    // Remembered first, because its last slot was two seconds ago.
    await scheduled(instance, { priority: 1, schedule: '*/2 * * * * *', api: `${scene.target.url}/low` });
    await scheduled(instance, { priority: 9, api: `${scene.target.url}/high` });
    for (const n of [1, 2, 3]) {
      await reach(instance, n);
      await instance.work();
    }
    scene.target.calls.length = 0;
    reads();
    await reach(instance, 4);
    expect(reads()).toEqual([]);
    await instance.work();
    expect(scene.target.calls.map(({ path }) => path)).toEqual(['/high', '/low']);
  });

  it('follows the misfire policy when its slots were missed meanwhile', async () => {
    const { instance } = watchedInstance();
    const job = await scheduled(instance, { misfirePolicy: 'SKIP', misfireGraceMs: 1_500 });
    await reach(instance, 1);
    scene.clock.set(second(9));
    for (let steps = 0; steps < 3; steps += 1) await instance.planner.runOnce();
    await instance.work();
    const executions = await executionsOf(scene.pool, job.id);
    expect(
      executions.map(({ status, slot_count, scheduled_at }) => [status, slot_count, scheduled_at]),
    ).toEqual([
      ['SUCCESS', 1, second(1)],
      ['SKIPPED', 6, second(2)],
      ['SUCCESS', 1, second(8)],
      ['SUCCESS', 1, second(9)],
    ]);
  });
});

describe('a planner that remembers jobs', () => {
  it('loses none of them when a read fails', async () => {
    const { instance } = watchedInstance();
    const job = await scheduled(instance);
    await reach(instance, 1);
    instance.planner.wake();
    scene.clock.set(plus(second(2), -100));
    vi.spyOn(instance.pool, 'query').mockRejectedValueOnce(new Error('Connection terminated unexpectedly'));
    await instance.planner.runOnce().catch(() => undefined);
    await reach(instance, 2);
    await reach(instance, 3);
    await instance.work();
    expect(await scheduledAtOf(job)).toEqual([1, 2, 3].map(second));
  });

  it('plans a job whose pause ends meanwhile', async () => {
    const { instance } = watchedInstance();
    const [job, paused] = [await scheduled(instance), await scheduled(instance)];
    valueOf(await instance.commands.pauseJob(CALLER, { ...reference(paused), until: plus(second(2), 500) }));
    for (const n of [1, 2]) await reach(instance, n);
    scene.clock.set(plus(second(2), 500));
    await instance.planner.runOnce();
    // The command that resumes the job wakes the planner in the same way.
    instance.planner.wake();
    for (const n of [3, 4]) await reach(instance, n);
    expect(await scheduledAtOf(job)).toEqual([1, 2, 3, 4].map(second));
    expect(await scheduledAtOf(paused)).toEqual([3, 4].map(second));
  });

  it('waits for their slots when the clock is set back', async () => {
    const { instance } = watchedInstance();
    const job = await scheduled(instance);
    await reach(instance, 1);
    scene.clock.set(plus(START, 500));
    await instance.planner.runOnce();
    await reach(instance, 1);
    expect(await scheduledAtOf(job)).toEqual([second(1)]);
    await reach(instance, 2);
    expect(await scheduledAtOf(job)).toEqual([1, 2].map(second));
  });
});

describe('a change without a notification to this instance', () => {
  it('applies when the job is paused', async () => {
    const { instance } = watchedInstance();
    const job = await scheduled(instance);
    await reach(instance, 1);
    valueOf(await scene.instance().commands.pauseJob(CALLER, reference(job)));
    await reach(instance, 2);
    expect(await scheduledAtOf(job)).toEqual([second(1)]);
  });

  it('applies when the job gets another URL', async () => {
    const { instance } = watchedInstance();
    const job = await scheduled(instance);
    await reach(instance, 1);
    const api = `${scene.target.url}/other`;
    valueOf(await scene.instance().commands.updateJob(CALLER, { ...reference(job), api }));
    await reach(instance, 2);
    await instance.work();
    expect(await scheduledAtOf(job)).toEqual([1, 2].map(second));
    expect([scene.target.callsTo('/work').length, scene.target.callsTo('/other').length]).toEqual([1, 1]);
  });

  it('applies when a slot is skipped', async () => {
    const { instance } = watchedInstance();
    const job = await scheduled(instance);
    await reach(instance, 1);
    const scheduledAt = second(2);
    valueOf(await scene.instance().commands.skipRun(CALLER, { jobId: reference(job).id, scheduledAt }));
    await reach(instance, 2);
    await reach(instance, 3);
    await instance.work();
    const executions = await executionsOf(scene.pool, job.id);
    expect(executions.map(({ status, skip_reason }) => [status, skip_reason])).toEqual([
      ['SUCCESS', null],
      ['SKIPPED', 'OPERATOR'],
      ['SUCCESS', null],
    ]);
  });

  it('applies when another instance has started the slot', async () => {
    const [{ instance, reads }, other] = [watchedInstance(), scene.instance()];
    const job = await scheduled(instance);
    await reach(instance, 1);
    await reach(other, 2);
    reads();
    await reach(instance, 2);
    await reach(instance, 3);
    expect(await scheduledAtOf(job)).toEqual([1, 2, 3].map(second));
    for (const execution of await executionsOf(scene.pool, job.id))
      expect(execution).toMatchObject({ status: 'SUCCESS', claim_seq: 1 });
    expect(scene.target.callsTo('/work')).toHaveLength(3);
  });

  it('leaves manual runs unchanged', async () => {
    const { instance } = watchedInstance();
    const job = await scheduled(instance);
    await reach(instance, 1);
    await trigger(scene.instance(), job);
    await reach(instance, 2);
    await instance.work();
    expect((await executionsOf(scene.pool, job.id)).map(({ status }) => status)).toEqual(
      Array<string>(3).fill('SUCCESS'),
    );
  });
});
