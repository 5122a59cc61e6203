import { describe, expect, it } from 'vitest';
import { CALLER, createJob, reference, valueOf, type TestInstance } from '../support/instance.ts';
import { START, plus } from '../support/manual-clock.ts';
import { watchTicks } from '../support/rests.ts';
import { executionsOf, insertJob, readRow } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';
import { until } from '../support/until.ts';

const scene = useScene();
const AHEAD_MS = 500;
const SLOT = plus(START, 10_000);
const EVERY_TEN_SECONDS = { schedule: '*/10 * * * * *', misfireGraceMs: 0 };

function instance(): TestInstance {
  return scene.instance({ planAheadMs: AHEAD_MS });
}

/** A moment at which the slot is near enough to be planned. */
async function planAhead({ planner }: TestInstance): Promise<void> {
  scene.clock.advance(10_000 - AHEAD_MS);
  await planner.runOnce();
}

async function reachSlot(one: TestInstance): Promise<void> {
  scene.clock.advance(AHEAD_MS);
  await one.planner.runOnce();
  await one.work();
}

describe('a slot that is about to come', () => {
  it('is planned, and runs when it has come, not earlier', async () => {
    const one = instance();
    const job = await createJob(one, { api: `${scene.target.url}/work`, ...EVERY_TEN_SECONDS });
    await planAhead(one);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      { status: 'PENDING', trigger: 'SCHEDULE', scheduled_at: SLOT, available_at: SLOT, slot_count: 1 },
    ]);
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ next_run_at: plus(SLOT, 10_000) });

    scene.clock.advance(AHEAD_MS - 1);
    await one.work();
    expect(scene.target.calls).toEqual([]);

    scene.clock.advance(1);
    await one.work();
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'SUCCESS', lateness_ms: 0 }]);
  });

  it('is not planned any earlier', async () => {
    const one = instance();
    const job = await createJob(one, EVERY_TEN_SECONDS);
    scene.clock.advance(10_000 - AHEAD_MS - 1);
    await one.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toEqual([]);
  });

  it('is planned when it has come where its run depends on how others stand then', async () => {
    const one = instance();
    const upstream = await createJob(one, { schedule: '0 0 * * * *' });
    const jobs = [
      await createJob(one, { ...EVERY_TEN_SECONDS, concurrencyPolicy: 'FORBID' }),
      await createJob(one, { ...EVERY_TEN_SECONDS, maxConcurrency: 3 }),
      await createJob(one, EVERY_TEN_SECONDS),
    ] as const;
    const edge = {
      jobId: reference(jobs[2]).id,
      dependsOnId: reference(upstream).id,
      condition: 'ON_SUCCESS' as const,
    };
    valueOf(await one.commands.addJobDependency(CALLER, edge));
    await planAhead(one);
    for (const { id } of jobs) expect(await executionsOf(scene.pool, id)).toEqual([]);
    scene.clock.advance(AHEAD_MS);
    await one.planner.runOnce();
    for (const { id } of jobs) expect(await executionsOf(scene.pool, id)).toHaveLength(1);
  });

  it.each([
    ['paused', (one: TestInstance, job: { id: string }) => one.commands.pauseJob(CALLER, job)],
    ['deleted', (one: TestInstance, job: { id: string }) => one.commands.deleteJob(CALLER, job)],
    [
      'given another schedule',
      (one: TestInstance, job: { id: string }) =>
        one.commands.updateJob(CALLER, { ...job, schedule: '5 * * * * *' }),
    ],
  ])('does not run where its job is %s meanwhile', async (_what, change) => {
    const one = instance();
    const job = await createJob(one, { api: `${scene.target.url}/work`, ...EVERY_TEN_SECONDS });
    await planAhead(one);
    valueOf(await change(one, reference(job)));
    await reachSlot(one);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'CANCELLED' }]);
    expect(scene.target.calls).toEqual([]);
  });

  it('is called as its job says then', async () => {
    const one = instance();
    const job = await createJob(one, { api: `${scene.target.url}/old`, ...EVERY_TEN_SECONDS });
    await planAhead(one);
    valueOf(await one.commands.updateJob(CALLER, { ...reference(job), api: `${scene.target.url}/new` }));
    await reachSlot(one);
    expect(scene.target.calls).toMatchObject([{ path: '/new' }]);
  });

  it('has one execution when two instances see it come', async () => {
    const [one, other] = [instance(), instance()];
    const job = await createJob(one, EVERY_TEN_SECONDS);
    scene.clock.advance(10_000 - AHEAD_MS);
    await Promise.all([one.planner.runOnce(), other.planner.runOnce()]);
    expect(await executionsOf(scene.pool, job.id)).toHaveLength(1);
  });

  it('leaves what was missed before it to the policy', async () => {
    const one = instance();
    const job = await createJob(one, { ...EVERY_TEN_SECONDS, misfirePolicy: 'SKIP' });
    scene.clock.advance(30_000 - AHEAD_MS);
    // The slots that have passed come first; the one that is about to come is planned for itself.
    await one.planner.runOnce();
    await one.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      { status: 'SKIPPED', skip_reason: 'MISFIRE', slot_count: 2 },
      { status: 'PENDING', scheduled_at: plus(START, 30_000) },
    ]);
  });
});

describe('the rest of a planner that plans ahead', () => {
  const firstRest = async ({ planner }: TestInstance) => {
    const { rests } = watchTicks();
    planner.start();
    await until(() => rests.length > 0);
    await planner.stop();
    return rests[0];
  };

  it('ends as long before the next slot', async () => {
    await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: plus(START, 4_321) });
    expect(await firstRest(instance())).toBe(4_321 - AHEAD_MS);
  });

  it('ends at a slot that could not be planned ahead', async () => {
    const limited = { concurrency_policy: 'FORBID', next_run_at: plus(START, 321) };
    await insertJob(scene.pool, { schedule: '* * * * * *', ...limited });
    expect(await firstRest(instance())).toBe(321);
  });
});
