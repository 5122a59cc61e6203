import { expect, it } from 'vitest';
import { cutSchedules } from './load.ts';
import { createJob } from '../instance.ts';
import { plus } from '../manual-clock.ts';
import { executionsOf } from '../rows.ts';
import { useScene } from '../scene.ts';

const scene = useScene();

it('runs no slot of a schedule that was cut after the slot was foreseen', async () => {
  const instance = scene.instance();
  const job = await createJob(instance, { api: `${scene.target.url}/work`, schedule: '* * * * * *' });
  const slot = plus(new Date(Math.floor(scene.clock.now().getTime() / 1_000) * 1_000), 1_000);
  scene.clock.set(plus(slot, -150));
  await instance.planner.runOnce();

  await cutSchedules(scene.pool);
  scene.clock.set(slot);
  await instance.planner.runOnce();
  expect(await executionsOf(scene.pool, job.id)).toEqual([]);
});
