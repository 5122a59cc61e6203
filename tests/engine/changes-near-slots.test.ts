import fc from 'fast-check';
import { expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { CALLER, createJob, reference, type TestInstance, valueOf } from '../support/instance.ts';
import { plus } from '../support/manual-clock.ts';
import { executionsOf } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();
const SECOND_MS = 1_000;
const LOOK_AHEAD_MS = 150;

type Change = 'pause' | 'resume' | 'everySecond' | 'everyOtherSecond' | 'skipNext';
/** A change, this long after the one before. */
type Step = { change: Change; afterMs: number };

/** What a user expects of a job: whether it runs, when, and which slots are skipped. */
type Model = { isActive: boolean; everyMs: number; skipped: Set<number>; ran: number[] };

const steps = fc.array(
  fc.record<Step>({
    change: fc.constantFrom('pause', 'resume', 'everySecond', 'everyOtherSecond', 'skipNext'),
    // On a slot, between the planner's read and the slot, just before one, just after one, or anywhere.
    afterMs: fc.oneof(fc.constantFrom(0, 1, 900, 999, 1_000), fc.integer({ min: 0, max: 2_500 })),
  }),
  { minLength: 5, maxLength: 15 },
);

it('runs a job once for each slot that it had when the slot came, with any change just before or after', async () => {
  const instances = [scene.instance(), scene.instance()] as const;
  await fc.assert(
    fc.asyncProperty(steps, async (changes) => {
      const job = await createJob(instances[0], { api: `${scene.target.url}/work`, schedule: '* * * * * *' });
      const model: Model = { isActive: true, everyMs: SECOND_MS, skipped: new Set(), ran: [] };
      for (const [index, { change, afterMs }] of changes.entries()) {
        await pass(instances, model, afterMs);
        await apply(instances[index % 2 === 0 ? 0 : 1], job, model, change);
      }
      await pass(instances, model, 2 * SECOND_MS);

      const rows = await executionsOf(scene.pool, job.id);
      const slots = (status: string) =>
        rows.filter((row) => row['status'] === status).map((row) => (row['scheduled_at'] as Date).getTime());
      expect(slots('SUCCESS').sort()).toEqual(model.ran.sort());
      expect(slots('SKIPPED').sort()).toEqual([...model.skipped].sort());
      expect(rows).toHaveLength(model.ran.length + model.skipped.size);
      valueOf(await instances[0].commands.deleteJob(CALLER, reference(job)));
    }),
    { numRuns: 12 },
  );
});

/** Lets time pass. At each second, and shortly before it, runs the work of an instance. */
async function pass(
  instances: readonly [TestInstance, TestInstance],
  model: Model,
  ms: number,
): Promise<void> {
  const until = plus(scene.clock.now(), ms);
  for (;;) {
    const nowMs = scene.clock.now().getTime();
    const second = new Date(Math.floor(nowMs / SECOND_MS + 1) * SECOND_MS);
    const shortlyBefore = plus(second, -LOOK_AHEAD_MS);
    if (shortlyBefore > scene.clock.now() && shortlyBefore <= until) {
      scene.clock.set(shortlyBefore);
      await Promise.all(instances.map(({ planner }) => planner.runOnce()));
    }
    if (second > until) break;
    scene.clock.set(second);
    await Promise.all(instances.map(({ planner }) => planner.runOnce()));
    await Promise.all(instances.map((instance) => instance.work()));
    const atMs = second.getTime();
    if (model.isActive && atMs % model.everyMs === 0 && !model.skipped.has(atMs)) model.ran.push(atMs);
  }
  scene.clock.set(until);
}

async function apply(
  { commands }: TestInstance,
  job: { id: string },
  model: Model,
  change: Change,
): Promise<void> {
  switch (change) {
    case 'pause':
      valueOf(await commands.pauseJob(CALLER, reference(job)));
      model.isActive = false;
      return;
    case 'resume':
      valueOf(await commands.resumeJob(CALLER, reference(job)));
      model.isActive = true;
      return;
    case 'everySecond':
    case 'everyOtherSecond': {
      const schedule = change === 'everySecond' ? '* * * * * *' : '*/2 * * * * *';
      valueOf(await commands.updateJob(CALLER, { ...reference(job), schedule }));
      model.everyMs = change === 'everySecond' ? SECOND_MS : 2 * SECOND_MS;
      return;
    }
    case 'skipNext': {
      const nextMs = Math.floor(scene.clock.now().getTime() / model.everyMs + 1) * model.everyMs;
      const jobId = encodePublicId('Job', job.id);
      valueOf(await commands.skipRun(CALLER, { jobId, scheduledAt: new Date(nextMs) }));
      model.skipped.add(nextMs);
    }
  }
}
