import pg from 'pg';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import { resumeEndedPauses } from '../../src/commands/jobs/resume-ended-pauses.ts';
import { inTransaction } from '../../src/store/statements/sql.ts';
import { CALLER, createJob, reference, valueOf, type TestInstance } from '../support/instance.ts';
import { insertJobsOfSlot } from '../support/many-slots.ts';
import { plus, START } from '../support/manual-clock.ts';
import { count, eventKindsOf, executionsOf, insertJob, readRow, type Row } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();

const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const at = (minute: number) => plus(START, minute * MINUTE_MS);
/** The instant at which the pauses of these tests end. */
const UNTIL = at(10);

afterEach(() => {
  vi.restoreAllMocks();
});

/** The id of a job that is paused until minute 10. Slots are on time while they are at most a minute old. */
async function paused(instance: TestInstance, input: Partial<CreateJobInput>): Promise<string> {
  const job = await createJob(instance, { misfireGraceMs: MINUTE_MS, ...input });
  valueOf(await instance.commands.pauseJob(CALLER, { ...reference(job), until: UNTIL }));
  return job.id;
}

/** No instance runs until a minute. Then the planner finds the ended pause and plans the slots since then. */
async function returnAt(minute: number, instance: TestInstance): Promise<void> {
  scene.clock.set(at(minute));
  for (let step = 0; step < 2; step += 1) await instance.planner.runOnce();
}

async function slotsOf(jobId: string): Promise<unknown[]> {
  const rows = await executionsOf(scene.pool, jobId);
  return rows.map((row) => [row['scheduled_at'], row['skip_reason'] ?? row['trigger'], row['slot_count']]);
}

const stored = (id: string): Promise<Row> => readRow(scene.pool, 'jobs', id);

describe("slots between the end of a pause and the planner's next run", () => {
  const schedule = '0 */5 * * * *';

  it('run as the latest slot under RUN_ONCE', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule, misfirePolicy: 'RUN_ONCE' });
    await returnAt(27, instance);
    expect(await slotsOf(job)).toEqual([
      [at(15), 'MISFIRE', 2],
      [at(25), 'CATCH_UP', 3],
    ]);
    expect(await stored(job)).toMatchObject({ status: 'ACTIVE', next_run_at: at(30) });
    expect(await eventKindsOf(scene.pool, job)).toEqual([
      'JOB_CREATED',
      'JOB_PAUSED',
      'JOB_RESUMED',
      'EXECUTION_SKIPPED',
      'EXECUTION_PLANNED',
    ]);
  });

  it('run one by one under RUN_ALL', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule, misfirePolicy: 'RUN_ALL' });
    await returnAt(27, instance);
    expect(await slotsOf(job)).toEqual([15, 20, 25].map((minute) => [at(minute), 'CATCH_UP', 1]));
  });

  it('are recorded as missed under SKIP', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule, misfirePolicy: 'SKIP' });
    await returnAt(27, instance);
    expect(await slotsOf(job)).toEqual([[at(15), 'MISFIRE', 3]]);
  });

  it('run as usual when they are within the grace', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule });
    scene.clock.set(plus(at(15), 30 * SECOND_MS));
    for (let step = 0; step < 2; step += 1) await instance.planner.runOnce();
    expect(await slotsOf(job)).toEqual([[at(15), 'SCHEDULE', 1]]);
  });

  it('are counted from the anchor of @every', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule: '@every 7m', misfirePolicy: 'RUN_ALL' });
    await returnAt(23, instance);
    expect(await slotsOf(job)).toEqual([14, 21].map((minute) => [at(minute), 'CATCH_UP', 1]));
    expect(await stored(job)).toMatchObject({ next_run_at: at(28) });
  });

  it('do not include the slot at the end of the pause itself', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule, misfirePolicy: 'RUN_ALL' });
    await returnAt(12, instance);
    expect(await slotsOf(job)).toEqual([]);
    expect(await stored(job)).toMatchObject({ next_run_at: at(15) });
  });

  it('do not include skipped ones', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule, misfirePolicy: 'RUN_ALL' });
    for (const minute of [15, 25]) {
      const skipped = { jobId: reference({ id: job }).id, scheduledAt: at(minute) };
      valueOf(await instance.commands.skipRun(CALLER, skipped));
    }
    await returnAt(32, instance);
    expect(await slotsOf(job)).toEqual([
      [at(15), 'OPERATOR', 1],
      [at(20), 'CATCH_UP', 1],
      [at(25), 'OPERATOR', 1],
      [at(30), 'CATCH_UP', 1],
    ]);
  });

  it('end with the window, also when that has passed meanwhile', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule, misfirePolicy: 'RUN_ALL', endAt: at(20) });
    await returnAt(40, instance);
    expect(await slotsOf(job)).toEqual([15, 20].map((minute) => [at(minute), 'CATCH_UP', 1]));
    expect(await stored(job)).toMatchObject({ status: 'COMPLETED', next_run_at: null });
  });

  it.each([
    ['is caught up with', 'RUN_ONCE', 'CATCH_UP'],
    ['is recorded as missed', 'SKIP', 'MISFIRE'],
  ] as const)('%s under %s when it is the instant of a one-off', async (_what, misfirePolicy, outcome) => {
    const instance = scene.instance();
    const job = await paused(instance, { runAt: at(15), misfirePolicy });
    await returnAt(20, instance);
    expect(await slotsOf(job)).toEqual([[at(15), outcome, 1]]);
    expect(await stored(job)).toMatchObject({ status: 'COMPLETED', next_run_at: null });
  });

  it('do not include the instant of a one-off within the pause', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { runAt: at(9) });
    await returnAt(20, instance);
    expect(await slotsOf(job)).toEqual([]);
    expect(await stored(job)).toMatchObject({ status: 'COMPLETED', next_run_at: null });
  });

  it('are not replayed when a user resumes the job by hand first', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule, misfirePolicy: 'RUN_ALL' });
    scene.clock.set(at(27));
    valueOf(await instance.commands.resumeJob(CALLER, reference({ id: job })));
    await returnAt(28, instance);
    expect(await slotsOf(job)).toEqual([]);
    expect(await stored(job)).toMatchObject({ status: 'ACTIVE', next_run_at: at(30), version: 3 });
  });

  it('are not those of a schedule that the job gets only afterwards', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule, misfirePolicy: 'RUN_ALL' });
    scene.clock.set(at(27));
    const { updateJob } = instance.commands;
    valueOf(await updateJob(CALLER, { ...reference({ id: job }), schedule: '0 * * * * *' }));
    await returnAt(27, instance);
    expect(await slotsOf(job)).toEqual([]);
    expect(await stored(job)).toMatchObject({ status: 'ACTIVE', next_run_at: at(28), version: 3 });
    expect((await eventKindsOf(scene.pool, job)).slice(2)).toEqual(['JOB_UPDATED', 'JOB_RESUMED']);
  });

  it('do not prevent the run of a one-off whose instant is moved to that time', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { runAt: at(9) });
    scene.clock.set(at(27));
    valueOf(
      await instance.commands.updateJob(CALLER, {
        ...reference({ id: job }),
        runAt: plus(at(27), -SECOND_MS),
      }),
    );
    await returnAt(27, instance);
    expect(await slotsOf(job)).toEqual([[plus(at(27), -SECOND_MS), 'SCHEDULE', 1]]);
  });

  it('are kept when a user changes another field of the job first', async () => {
    const instance = scene.instance();
    const job = await paused(instance, { schedule, misfirePolicy: 'RUN_ALL' });
    scene.clock.set(at(17));
    valueOf(await instance.commands.updateJob(CALLER, { ...reference({ id: job }), name: 'Renamed' }));
    await returnAt(17, instance);
    expect(await slotsOf(job)).toEqual([[at(15), 'CATCH_UP', 1]]);
  });
});

describe('many pauses that end together', () => {
  const pause = { status: 'PAUSED', paused_at: START, paused_until: UNTIL, next_run_at: null };

  it('need few statements, with an audit entry and an event for each job', async () => {
    const instance = scene.instance();
    await insertJobsOfSlot(scene.pool, 200, START, { schedule: '0 */5 * * * *', ...pause });
    scene.clock.set(UNTIL);
    const sent = vi.spyOn(pg.Client.prototype, 'query');
    await instance.planner.runOnce();
    const statements = sent.mock.calls.length;
    sent.mockRestore();

    expect(statements).toBeGreaterThan(0);
    expect(statements).toBeLessThan(20);
    expect(await count(scene.pool, `jobs WHERE status = 'ACTIVE' AND next_run_at = $1`, [at(15)])).toBe(200);
    expect(await count(scene.pool, `job_audit_log WHERE action = 'RESUMED'`)).toBe(200);
    expect(await count(scene.pool, `event_log WHERE kind = 'JOB_RESUMED'`)).toBe(200);
    expect(instance.wakeUps.woken.filter((kind) => kind === 'jobs')).toEqual(['jobs']);
  });

  it('are handled batch by batch, and slots that become due meanwhile are planned', async () => {
    const instance = scene.instance();
    await insertJobsOfSlot(scene.pool, 500, START, { schedule: '0 */5 * * * *', ...pause });
    scene.clock.set(UNTIL);
    const stillPaused = () => count(scene.pool, `jobs WHERE status = 'PAUSED'`);
    const left = [await stillPaused()];
    while ((left.at(-1) ?? 0) > 0) {
      const due = await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: scene.clock.now() });
      instance.planner.wake();
      await instance.planner.runOnce();
      expect(await executionsOf(scene.pool, due)).toHaveLength(1);
      left.push(await stillPaused());
      scene.clock.advance(SECOND_MS);
    }
    expect(left).toEqual([500, 300, 100, 0]);
  });

  it('are each ended once by instances that see them at once', async () => {
    const instances = [scene.instance(), scene.instance(), scene.instance()];
    await insertJobsOfSlot(scene.pool, 300, START, { schedule: '0 */5 * * * *', ...pause });
    scene.clock.set(UNTIL);
    for (let round = 0; round < 2; round += 1)
      await Promise.all(instances.map((instance) => instance.planner.runOnce()));
    expect(await count(scene.pool, `jobs WHERE status = 'ACTIVE' AND version = 2`)).toBe(300);
    expect(await count(scene.pool, `event_log WHERE kind = 'JOB_RESUMED'`)).toBe(300);
  });

  it('are left to the next batch when the computation of their slots takes long', async () => {
    const instance = scene.instance();
    await insertJobsOfSlot(scene.pool, 5, START, pause);
    scene.clock.set(UNTIL);
    let readings = 0;
    // Pretends that each job takes 150 ms.
    await resumeEndedPauses(instance.commandDeps, () => 150 * readings++);
    expect(await count(scene.pool, `jobs WHERE status = 'PAUSED'`)).toBe(3);
  });

  it('do not wait for locked ones, however many', async () => {
    const instance = scene.instance();
    const held = await insertJobsOfSlot(scene.pool, 250, START, { ...pause, paused_until: at(9) });
    const free = await insertJob(scene.pool, { schedule: '0 */5 * * * *', ...pause });
    scene.clock.set(UNTIL);
    await inTransaction(scene.pool, async (tx) => {
      await tx.query('SELECT FROM jobs WHERE id = ANY($1) FOR UPDATE', [held]);
      await instance.planner.runOnce();
    });
    expect(await stored(free)).toMatchObject({ status: 'ACTIVE' });
    expect(await count(scene.pool, `jobs WHERE status = 'PAUSED'`)).toBe(250);
  });

  it('are not delayed by a job whose schedule cannot be read', async () => {
    const instance = scene.instance();
    const broken = await insertJob(scene.pool, { schedule: 'no schedule at all', ...pause });
    const [sound] = await insertJobsOfSlot(scene.pool, 1, START, pause);
    await returnAt(10, instance);
    expect(await stored(broken)).toMatchObject({ status: 'PAUSED', paused_until: null, version: 2 });
    expect(await stored(sound ?? '')).toMatchObject({ status: 'ACTIVE', version: 2 });
    expect(await eventKindsOf(scene.pool, broken)).toEqual(['JOB_UPDATED']);
    expect(await count(scene.pool, `job_audit_log WHERE job_id = $1 AND action = 'UPDATED'`, [broken])).toBe(
      1,
    );
  });
});
