import { describe, expect, it } from 'vitest';
import { sumUpJobCounts } from '../../../src/store/jobs/job-counts.ts';
import { readSystemMetrics } from '../../../src/store/metrics/system-metrics.ts';
import { CALLER, createJob, reference } from '../../support/instance.ts';
import { count, insertJob } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';

const scene = useScene();

describe('the counts of jobs', () => {
  it('follow every change of a status, whoever makes it', async () => {
    const instance = scene.instance();
    const { commands, planner } = instance;
    const jobs = [await createJob(instance), await createJob(instance), await createJob(instance)];
    const [paused = { id: '' }, deleted = { id: '' }] = jobs;
    await commands.pauseJob(CALLER, reference(paused));
    await commands.deleteJob(CALLER, reference(deleted));
    await createJob(instance, { runAt: scene.clock.now() });
    expect(await countedJobs()).toEqual({ total: 3, active: 2, paused: 1 });
    await planner.runOnce();
    expect(await count(scene.pool, `jobs WHERE status = 'COMPLETED'`)).toBe(1);
    expect(await countedJobs()).toEqual({ total: 3, active: 1, paused: 1 });
    await commands.resumeJob(CALLER, reference(paused));
    expect(await countedJobs()).toEqual({ total: 3, active: 2, paused: 0 });
  });

  it('are summed up by the pruner when they have become many, by several instances at once too', async () => {
    const instances = [scene.instance(), scene.instance(), scene.instance()];
    await Promise.all(Array.from({ length: 150 }, () => insertJob(scene.pool)));
    expect(await count(scene.pool, 'job_status_counts')).toBeGreaterThan(100);
    await Promise.all([
      ...instances.map(({ pruner }) => pruner.runOnce()),
      ...instances.map(({ pool }) => sumUpJobCounts(pool)),
      insertJob(scene.pool),
    ]);
    expect(await count(scene.pool, 'job_status_counts')).toBeLessThan(10);
    expect(await countedJobs()).toEqual({ total: 151, active: 151, paused: 0 });
  });
});

async function countedJobs(): Promise<unknown> {
  return (await readSystemMetrics(scene.pool, scene.clock.now())).jobs;
}
