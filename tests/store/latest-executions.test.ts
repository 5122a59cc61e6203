import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { latestExecutionIds } from '../../src/store/statements/ids-of-owners.ts';
import { DAY_MS } from '../support/instance.ts';
import { START, plus } from '../support/manual-clock.ts';
import { insertExecution, insertJob } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();

it('of each of many jobs the newest executions are found, newest first, at most as many as asked', async () => {
  const [busy, quiet, idle] = [
    await insertJob(scene.pool),
    await insertJob(scene.pool),
    await insertJob(scene.pool),
  ];
  const runs: string[] = [];
  for (let n = 0; n < 5; n += 1) {
    runs.push(await insertExecution(scene.pool, busy, 'SUCCESS', { at: plus(START, n) }));
  }
  const only = await insertExecution(scene.pool, quiet, 'PENDING', { at: plus(START, 2) });
  const latest = await latestExecutionIds(scene.pool, [busy, quiet, idle, randomUUID()], 3);
  expect(latest).toEqual(
    new Map([
      [busy, [runs[4], runs[3], runs[2]]],
      [quiet, [only]],
    ]),
  );
  expect(await latestExecutionIds(scene.pool, [], 3)).toEqual(new Map());
});

it('slots to come that somebody left out can be passed over', async () => {
  const job = await insertJob(scene.pool);
  const leaveOut = (scheduledAt: Date, at: Date) =>
    insertExecution(scene.pool, job, 'SKIPPED', {
      at,
      trigger: 'SCHEDULE',
      scheduled_at: scheduledAt,
      skip_reason: 'OPERATOR',
    });
  const run = await insertExecution(scene.pool, job, 'SUCCESS');
  const tomorrow = await leaveOut(plus(START, DAY_MS), plus(START, 1));
  const past = await leaveOut(plus(START, 2), plus(START, 1));
  const latest = async (slotsUntil?: Date) =>
    (await latestExecutionIds(scene.pool, [job], 3, slotsUntil)).get(job);
  expect(new Set(await latest())).toEqual(new Set([tomorrow, past, run]));
  expect(await latest(plus(START, 2))).toEqual([past, run]);
  expect(await latest(plus(START, 1))).toEqual([run]);
});
