import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { totalOf } from '../../src/domain/metrics/metrics-series.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { readJobCounts, readJobPercentiles, readLastEnds } from '../../src/store/metrics/job-metrics.ts';
import { ALL_JOBS } from '../../src/store/metrics/rollups.ts';
import { countedBuckets, countOverRows, retriesOverRows } from '../support/end-counts.ts';
import { CALLER, createJob, DAY_MS, reference, trigger, type TestInstance } from '../support/instance.ts';
import { plus, START } from '../support/manual-clock.ts';
import { count, endCountsOf, insertExecution } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();

/** One step of the test. `pick` in [0, 1) selects the job or execution and the answer of the target. */
type Step = { kind: StepKind; pick: number };
type StepKind = keyof typeof STEPS;
type World = { instances: TestInstance[]; jobs: { id: string }[] };

const STEPS = {
  wait: (_: World, pick: number) => void scene.clock.advance(Math.round(pick * 150_000)),
  plan: ({ instances }: World, pick: number) => one(instances, pick).planner.runOnce(),
  unblock: ({ instances }: World, pick: number) => one(instances, pick).unblocker.runOnce(),
  work: async ({ instances }: World, pick: number) => {
    scene.target.script('/any', () => {
      scene.clock.advance(Math.round(pick * 300));
      return pick < 0.3 ? 503 : pick < 0.4 ? 404 : 200;
    });
    await one(instances, pick).work();
  },
  watchCallbacks: ({ instances }: World, pick: number) => one(instances, pick).callbackWatch.runOnce(),
  lose: async ({ jobs }: World, pick: number) => {
    // The instance that ran it has died.
    const at = scene.clock.now();
    const lost = { at, lease_expires_at: plus(at, -1), max_attempts: 1, rescue_count: Math.floor(pick * 4) };
    await insertExecution(scene.pool, one(jobs, pick).id, 'RUNNING', lost);
    scene.clock.advance(1);
  },
  rescue: ({ instances }: World, pick: number) => one(instances, pick).rescuer.runOnce(),
  trigger: ({ instances, jobs }: World, pick: number) => trigger(one(instances, pick), one(jobs, pick)),
  pause: ({ instances, jobs }: World, pick: number) =>
    one(instances, pick).commands.pauseJob(CALLER, reference(one(jobs, pick))),
  resume: ({ instances, jobs }: World, pick: number) =>
    one(instances, pick).commands.resumeJob(CALLER, reference(one(jobs, pick))),
  change: ({ instances, jobs }: World, pick: number) =>
    one(instances, pick).commands.updateJob(CALLER, {
      ...reference(one(jobs, pick)),
      schedule: `${Math.floor(pick * 60)} * * * * *`,
    }),
  skipNext: async ({ instances, jobs }: World, pick: number) => {
    const { id } = one(jobs, pick);
    const { rows } = await scene.pool.query<{ at: Date | null }>(
      'SELECT next_run_at AS at FROM jobs WHERE id = $1',
      [id],
    );
    const scheduledAt = rows[0]?.at;
    const jobId = encodePublicId('Job', id);
    if (scheduledAt) await one(instances, pick).commands.skipRun(CALLER, { jobId, scheduledAt });
  },
  cancel: async ({ instances }: World, pick: number) => {
    const id = await someExecution(pick);
    if (id !== null) await one(instances, pick).commands.cancelExecution(CALLER, { id });
  },
  retry: async ({ instances }: World, pick: number) => {
    const id = await someExecution(pick);
    if (id !== null) await one(instances, pick).commands.retryExecution(CALLER, { id });
  },
  redrive: ({ instances }: World, pick: number) =>
    one(instances, pick).commands.redriveDeadLetters(CALLER, { where: {} }),
};

/** Every way to end, once, for the first job. */
const EACH_WAY: readonly Step[] = [
  { kind: 'trigger', pick: 0 },
  { kind: 'work', pick: 0.1 },
  { kind: 'cancel', pick: 0 },
  { kind: 'trigger', pick: 0 },
  { kind: 'work', pick: 0.35 },
  { kind: 'trigger', pick: 0 },
  { kind: 'work', pick: 0.9 },
  { kind: 'skipNext', pick: 0 },
];

describe('the counts of ends', () => {
  it('agree with a count over the rows after any steps, and outlive the rows', async () => {
    const kind = fc.constantFrom(...(Object.keys(STEPS) as StepKind[]), 'wait', 'plan', 'work', 'work');
    const step: fc.Arbitrary<Step> = fc.record({
      kind,
      pick: fc.double({ min: 0, max: 0.999, noNaN: true }),
    });
    const world = { instances: [scene.instance(), scene.instance()], jobs: await createJobs() };
    for (const { kind, pick } of EACH_WAY) await STEPS[kind](world, pick);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 40, maxLength: 60 }), async (steps) => {
        for (const { kind, pick } of steps) await STEPS[kind](world, pick);
        expect(await countedBuckets(scene.pool)).toEqual(await countOverRows(scene.pool));
      }),
      { numRuns: 4, endOnFailure: true },
    );
    for (const { errors } of world.instances) expect(errors).toEqual([]);
    await expectAllJobsToAddUp(world);
    await expectToOutliveTheRows(world);
  });
});

/** One execution of every kind that ends in its own way. */
async function createJobs(): Promise<{ id: string }[]> {
  const instance = scene.instance();
  const api = `${scene.target.url}/any`;
  const often = { api, schedule: '*/20 * * * * *' };
  const retryPolicy = { maxRetries: 2, initialDelayMs: 1_000, retryOn: ['5xx'] };
  const plain = await createJob(instance, { ...often, retryPolicy, misfirePolicy: 'RUN_ALL' });
  const jobs = [
    plain,
    await createJob(instance, { ...often, concurrencyPolicy: 'FORBID' }),
    await createJob(instance, { ...often, concurrencyPolicy: 'QUEUE' }),
    await createJob(instance, { ...often, concurrencyPolicy: 'REPLACE' }),
    await createJob(instance, { ...often, misfirePolicy: 'SKIP', misfireGraceMs: 1_000 }),
    await createJob(instance, { ...often, type: 'ATMOST_ONCE' }),
    await createJob(instance, { ...often, completion: 'CALLBACK', completionTimeoutMs: 1_000 }),
  ];
  const gated = await createJob(instance, often);
  const joined = await createJob(instance, { api, concurrencyPolicy: 'FORBID' });
  for (const { id } of [gated, joined]) {
    const edge = { jobId: encodePublicId('Job', id), dependsOnId: encodePublicId('Job', plain.id) };
    await instance.commands.addJobDependency(CALLER, edge);
  }
  return [...jobs, gated, joined];
}

async function expectAllJobsToAddUp({ jobs }: World): Promise<void> {
  const perJob = await Promise.all(jobs.map(({ id }) => endCountsOf(scene.pool, id)));
  const all = await endCountsOf(scene.pool);
  for (const name of Object.keys(all) as (keyof typeof all)[]) {
    expect(perJob.reduce((sum, counts) => sum + counts[name], 0)).toBe(all[name]);
  }
  expect(all.retries).toBe(await retriesOverRows(scene.pool));
  for (const number of Object.values(all)) expect(number).toBeGreaterThan(0);
}

/** The counts stay equal while time passes and buckets are folded, and when the rows are gone. */
async function expectToOutliveTheRows({ instances, jobs }: World): Promise<void> {
  const ids = [ALL_JOBS, ...jobs.map(({ id }) => id)];
  const before = await figuresOf(ids);
  for (const days of [0.2, 3, 60, 500]) {
    scene.clock.set(plus(START, days * DAY_MS));
    await Promise.all(instances.map(({ pruner }) => pruner.runOnce()));
    expect(await figuresOf(ids)).toEqual(before);
  }
  expect(await count(scene.pool, `job_executions WHERE status IN ('SUCCESS', 'SKIPPED')`)).toBe(0);
  expect(await count(scene.pool, 'job_execution_rollups')).toBeLessThanOrEqual(ids.length);
}

async function figuresOf(ids: string[]): Promise<unknown[]> {
  const asked = ids.map((jobId) => ({ jobId, window: 'ALL_TIME' as const }));
  const now = scene.clock.now();
  const spans = await readJobCounts(scene.pool, asked, now);
  return [
    spans.map(({ counted }) => totalOf(counted)),
    await readJobPercentiles(scene.pool, asked, now),
    await readLastEnds(scene.pool, ids),
    await readLastCancelledRuns(),
  ];
}

async function readLastCancelledRuns(): Promise<unknown[]> {
  const { rows } = await scene.pool.query<{ job_id: string; at: Date | null }>(
    'SELECT job_id, max(last_cancelled_at) AS at FROM job_execution_rollups GROUP BY 1 ORDER BY 1',
  );
  return rows;
}

async function someExecution(pick: number): Promise<string | null> {
  const { rows } = await scene.pool.query<{ id: string }>(
    'SELECT id FROM job_executions ORDER BY created_at DESC, id LIMIT 30',
  );
  const id = rows[Math.floor(pick * rows.length)]?.id;
  return id === undefined ? null : encodePublicId('Execution', id);
}

function one<T>(things: readonly T[], pick: number): T {
  const thing = things[Math.floor(pick * 1_000) % things.length];
  if (thing === undefined) throw new Error('There is nothing to pick from');
  return thing;
}
