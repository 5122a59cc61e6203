import { describe, expect, it } from 'vitest';
import type { StoredJob } from '../../src/store/jobs/jobs.ts';
import { CALLER, createJob, reference, valueOf, type TestInstance } from '../support/instance.ts';
import { START, plus } from '../support/manual-clock.ts';
import { executionsOf, readRow } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();
const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const RUN_AT = plus(START, 10 * SECOND_MS);

/**
 * A job whose slot has come and whose execution waits for its jitter: nearly an hour. The job's id determines how long.
 */
async function planned(instance: TestInstance, input: object): Promise<StoredJob> {
  const job = await createJob(instance, {
    api: `${scene.target.url}/work`,
    jitterMs: HOUR_MS,
    ...input,
  });
  scene.clock.advance(10 * SECOND_MS);
  await instance.planner.runOnce();
  return job;
}

async function statusesOf(job: StoredJob): Promise<unknown[]> {
  return (await executionsOf(scene.pool, job.id)).map(({ status }) => status);
}

/** Runs everything that is planned within the next hours. */
async function passHours(instance: TestInstance): Promise<void> {
  scene.clock.advance(2 * HOUR_MS);
  await instance.work();
}

describe('a job that is changed between its slot and its start', () => {
  it('does not run for a slot that it no longer has', async () => {
    const instance = scene.instance();
    const job = await planned(instance, { schedule: '*/10 * * * * *' });
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), schedule: '0 0 0 1 1 *' }));
    await passHours(instance);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      {
        status: 'CANCELLED',
        scheduled_at: RUN_AT,
        error_message: expect.stringContaining('The schedule was changed.') as string,
      },
    ]);
    expect(scene.target.calls).toEqual([]);
  });

  it('runs once for a slot that it still has', async () => {
    const instance = scene.instance();
    const job = await planned(instance, { schedule: '*/10 * * * * *' });
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), schedule: '10 * * * * *' }));
    expect(await statusesOf(job)).toEqual(['PENDING']);
    valueOf(await instance.commands.pauseJob(CALLER, reference(job)));
    expect(await statusesOf(job)).toEqual(['CANCELLED']);
  });

  it('runs for earlier slots that only waited for a place', async () => {
    const instance = scene.instance();
    const job = await planned(instance, { schedule: '*/10 * * * * *', jitterMs: 0 });
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), schedule: '0 0 0 1 1 *' }));
    await instance.work();
    expect(await statusesOf(job)).toEqual(['SUCCESS']);
  });

  it('runs only at its new instant when it runs once', async () => {
    const instance = scene.instance();
    const job = await planned(instance, { runAt: RUN_AT });
    const runAt = plus(RUN_AT, HOUR_MS);
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), runAt, jitterMs: 0 }));
    scene.clock.advance(HOUR_MS);
    await instance.planner.runOnce();
    await passHours(instance);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      { status: 'CANCELLED', scheduled_at: RUN_AT },
      { status: 'SUCCESS', scheduled_at: runAt },
    ]);
  });
});

describe('a job whose last run waits to start', () => {
  it('is COMPLETED, can still be paused, and then does not run', async () => {
    const instance = scene.instance();
    const job = await planned(instance, { runAt: RUN_AT });
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ status: 'COMPLETED' });
    valueOf(await instance.commands.pauseJob(CALLER, reference(job)));
    await passHours(instance);
    expect(await statusesOf(job)).toEqual(['CANCELLED']);
    valueOf(await instance.commands.resumeJob(CALLER, reference(job)));
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ status: 'COMPLETED' });
  });

  it('is paused with others that a filter selects', async () => {
    const instance = scene.instance();
    const job = await planned(instance, { runAt: RUN_AT });
    const jobs = {
      find: (behind: string | null) => Promise.resolve(behind === null ? [job.id] : []),
      selects: () => true,
    };
    expect(valueOf(await instance.commands.pauseJobs(CALLER, { jobs }))).toEqual({
      matchedCount: 1,
      changedCount: 1,
    });
    expect(await statusesOf(job)).toEqual(['CANCELLED']);
  });
});
