import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { insertDependency, insertEnd } from '../support/dependencies.ts';
import { CALLER, createJob, reference, trigger, valueOf } from '../support/instance.ts';
import { plus, START } from '../support/manual-clock.ts';
import { eventsOf, executionsOf, insertExecution, insertJob, RETRIES } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();
const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;

const statusesOf = async (jobId: string) =>
  (await executionsOf(scene.pool, jobId)).map((row) => [row['status'], row['skip_reason']]);

/** The result of the next slot of a new job that waits for the success of another. */
async function nextSlotBehind(upstream: string): Promise<unknown[]> {
  const instance = scene.instance();
  const job = await createJob(instance, { schedule: '* * * * * *' });
  await insertDependency(scene.pool, job.id, upstream);
  scene.clock.advance(SECOND_MS);
  await instance.planner.runOnce();
  return statusesOf(job.id);
}

describe('a job with slots that waits for another', () => {
  it('fires at the slots at which the latest run of the other has succeeded', async () => {
    const instance = scene.instance();
    scene.target.script('/load', [500, 200, 500]);
    const load = await createJob(instance, { name: 'load', api: `${scene.target.url}/load` });
    const job = await createJob(instance, { api: `${scene.target.url}/report`, schedule: '* * * * * *' });
    await insertDependency(scene.pool, job.id, load.id);
    const slot = async () => {
      scene.clock.advance(SECOND_MS);
      await instance.planner.runOnce();
      await instance.work();
    };
    await slot();
    for (let run = 1; run <= 3; run += 1) {
      await trigger(instance, load);
      await instance.work();
      await slot();
    }
    expect(await statusesOf(job.id)).toEqual([
      ['SKIPPED', 'DEPENDENCY_NOT_MET'],
      ['SKIPPED', 'DEPENDENCY_NOT_MET'],
      ['SUCCESS', null],
      ['SKIPPED', 'DEPENDENCY_NOT_MET'],
    ]);
    const messages = (await executionsOf(scene.pool, job.id)).map((row) => row['error_message']);
    expect(messages.slice(0, 2)).toEqual([
      'The latest run of "load" must have succeeded; it has none.',
      'The latest run of "load" must have succeeded; it ended as FAILED.',
    ]);
    expect((await eventsOf(scene.pool, job.id)).at(-1)).toMatchObject({
      kind: 'EXECUTION_SKIPPED',
      error_message: 'The latest run of "load" must have succeeded; it ended as FAILED.',
    });
    expect(scene.target.callsTo('/report')).toHaveLength(1);
  });

  it('fires again and again while this is so: a satisfaction is not used up', async () => {
    const instance = scene.instance();
    const upstream = await insertJob(scene.pool);
    await insertEnd(scene.pool, upstream, 'SUCCESS');
    const job = await createJob(instance, { schedule: '* * * * * *' });
    await insertDependency(scene.pool, job.id, upstream);
    for (let slot = 0; slot < 3; slot += 1) {
      scene.clock.advance(SECOND_MS);
      await instance.planner.runOnce();
    }
    expect(await statusesOf(job.id)).toEqual(Array(3).fill(['PENDING', null]));
  });

  it('checks the run that ended last, not the one that started last', async () => {
    const instance = scene.instance();
    const upstream = await insertJob(scene.pool);
    await insertEnd(scene.pool, upstream, 'FAILED', { at: START, finished_at: plus(START, 5_000) });
    await insertEnd(scene.pool, upstream, 'SUCCESS', {
      at: plus(START, 1_000),
      finished_at: plus(START, 2_000),
    });
    const job = await createJob(instance, { schedule: '*/10 * * * * *' });
    await insertDependency(scene.pool, job.id, upstream, 'ON_FAILURE');
    scene.clock.advance(10 * SECOND_MS);
    await instance.planner.runOnce();
    expect(await statusesOf(job.id)).toEqual([['PENDING', null]]);
  });

  it('ignores jobs that never ran', async () => {
    const upstream = await insertJob(scene.pool);
    await insertEnd(scene.pool, upstream, 'SUCCESS');
    for (const status of ['SKIPPED', 'CANCELLED'] as const)
      await insertEnd(scene.pool, upstream, status, { at: plus(START, 500) });
    for (const status of ['PENDING', 'RUNNING'] as const)
      await insertExecution(scene.pool, upstream, status, { at: plus(START, 500) });
    expect(await nextSlotBehind(upstream)).toEqual([['PENDING', null]]);
  });

  it('does not fire on a success that a cancelled run follows', async () => {
    const instance = scene.instance();
    scene.target.script('/load', 503);
    const load = await insertJob(scene.pool, { ...RETRIES, name: 'load', api: `${scene.target.url}/load` });
    await insertEnd(scene.pool, load, 'SUCCESS');
    const job = await createJob(instance, { schedule: '* * * * * *' });
    await insertDependency(scene.pool, job.id, load);
    const run = await trigger(instance, { id: load });
    await instance.work();
    scene.clock.advance(SECOND_MS);
    valueOf(await instance.commands.cancelExecution(CALLER, { id: encodePublicId('Execution', run) }));
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      { error_message: 'The latest run of "load" must have succeeded; it ended as CANCELLED.' },
    ]);
  });

  it('fires by a run that is no longer stored', async () => {
    const upstream = await insertJob(scene.pool);
    await insertEnd(scene.pool, upstream, 'SUCCESS');
    await scene.pool.query('DELETE FROM job_executions');
    expect(await nextSlotBehind(upstream)).toEqual([['PENDING', null]]);
  });

  it('uses the worse of two ends in the same millisecond', async () => {
    const upstream = await insertJob(scene.pool);
    await insertEnd(scene.pool, upstream, 'FAILED');
    await insertEnd(scene.pool, upstream, 'SUCCESS');
    expect(await nextSlotBehind(upstream)).toEqual([['SKIPPED', 'DEPENDENCY_NOT_MET']]);
  });

  it('waits for all of several', async () => {
    const instance = scene.instance();
    const upstreams = [await insertJob(scene.pool), await insertJob(scene.pool)];
    await insertEnd(scene.pool, upstreams[0] ?? '', 'SUCCESS');
    const job = await createJob(instance, { schedule: '* * * * * *' });
    for (const upstream of upstreams) await insertDependency(scene.pool, job.id, upstream);
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    await insertEnd(scene.pool, upstreams[1] ?? '', 'SUCCESS');
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    expect(await statusesOf(job.id)).toEqual([
      ['SKIPPED', 'DEPENDENCY_NOT_MET'],
      ['PENDING', null],
    ]);
  });

  it('records many slots at once in one row', async () => {
    const instance = scene.instance();
    const upstream = await insertJob(scene.pool, { name: 'load' });
    const job = await createJob(instance, { schedule: '0 * * * * *', misfirePolicy: 'RUN_ALL' });
    await insertDependency(scene.pool, job.id, upstream);
    scene.clock.advance(HOUR_MS);
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      {
        status: 'SKIPPED',
        scheduled_at: plus(START, 60 * SECOND_MS),
        slot_count: 60,
        error_message:
          'The latest run of "load" must have succeeded; it has none. This stands for 60 slots, 2030-01-07T09:01:00.000Z to 2030-01-07T10:00:00.000Z.',
      },
    ]);
  });

  it('is not run by an end, and can be run by hand at any time', async () => {
    const instance = scene.instance();
    const upstream = await createJob(instance, { api: `${scene.target.url}/a` });
    const job = await createJob(instance, { api: `${scene.target.url}/b`, schedule: '0 0 * * * *' });
    await insertDependency(scene.pool, job.id, upstream.id, 'ON_FAILURE');
    await trigger(instance, upstream);
    await instance.work();
    expect(await statusesOf(job.id)).toEqual([]);
    await trigger(instance, job);
    await instance.work();
    expect(await statusesOf(job.id)).toEqual([['SUCCESS', null]]);
  });

  it('is run by the end once it has no slots any more', async () => {
    const instance = scene.instance();
    const upstream = await createJob(instance, { api: `${scene.target.url}/a` });
    const job = await createJob(instance, { api: `${scene.target.url}/b`, schedule: '0 0 * * * *' });
    await insertDependency(scene.pool, job.id, upstream.id);
    await instance.commands.updateJob(
      { actor: 'test', requestId: '1', address: null },
      { ...reference(job), schedule: null },
    );
    await trigger(instance, upstream);
    await instance.work();
    expect(await statusesOf(job.id)).toEqual([['PENDING', null]]);
  });
});
