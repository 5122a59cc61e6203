import { describe, expect, it } from 'vitest';
import { slotExecutionId } from '../../../src/domain/schedule/slot-id.ts';
import type { Loop } from '../../../src/async/loop.ts';
import type { SlotPrefetch } from '../../../src/engine/planning/slot-prefetch.ts';
import { createPlanner } from '../../../src/engine/planning/planner.ts';
import { newUuidV7 } from '../../../src/domain/values/uuid-v7.ts';
import { inTransaction } from '../../../src/store/statements/sql.ts';
import { CALLER, createJob, LONGEST_REST_MS, reference } from '../../support/instance.ts';
import { START, plus } from '../../support/manual-clock.ts';
import { insertJobsOfSlot } from '../../support/many-slots.ts';
import { count, eventKindsOf, eventsOf, executionsOf, insertJob, readRow } from '../../support/rows.ts';
import { watchTicks } from '../../support/rests.ts';
import { acceptAll, refuseExecutionsOf } from '../../support/refused-rows.ts';
import { useScene } from '../../support/scene.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const NO_PREFETCH: Omit<SlotPrefetch, 'isStarting'> = {
  nextAt: () => null,
  prepareAt: () => null,
  preparedFor: () => null,
  prepare: () => Promise.resolve(),
  abandon: () => Promise.resolve(),
  jobIds: () => [],
  read: () => Promise.resolve(null),
  rememberedAt: () => null,
  recall: () => null,
  start: () => Promise.reject(new Error('Nothing was prefetched')),
};

describe('a due job', () => {
  it('gets one execution for its slot and moves to the next', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '*/10 * * * * *', priority: 7 });
    scene.clock.advance(10 * SECOND_MS);
    await instance.planner.runOnce();

    const slot = plus(START, 10 * SECOND_MS);
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      {
        id: slotExecutionId(job.id, slot),
        status: 'PENDING',
        trigger: 'SCHEDULE',
        scheduled_at: slot,
        available_at: slot,
        priority: 7,
        max_attempts: 1,
        slot_count: 1,
      },
    ]);
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({
      next_run_at: plus(slot, 10 * SECOND_MS),
      status: 'ACTIVE',
      version: 1,
    });
  });

  it('publishes the event of the planned execution, and wakes the workers', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *' });
    instance.wakeUps.woken.length = 0;
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();

    const slot = plus(START, SECOND_MS);
    const [, planned] = await eventsOf(scene.pool, job.id);
    expect(planned).toMatchObject({
      kind: 'EXECUTION_PLANNED',
      execution_id: slotExecutionId(job.id, slot),
      status: 'PENDING',
      previous_status: null,
      trigger: 'SCHEDULE',
      scheduled_at: slot,
      at: slot,
    });
    expect(instance.wakeUps.woken).toEqual(['executions', 'events']);
  });

  it('is not planned before its time', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *' });
    instance.wakeUps.woken.length = 0;
    scene.clock.advance(SECOND_MS - 1);
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toEqual([]);
    expect(instance.wakeUps.woken).toEqual([]);
  });

  it('gets its next run from the slot, however late the planner is', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '@every 7s', misfireGraceMs: MINUTE_MS });
    scene.clock.advance(7 * SECOND_MS + 3_456);
    await instance.planner.runOnce();
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({
      next_run_at: plus(START, 14 * SECOND_MS),
    });
  });

  it('becomes available after its jitter, which is the same for every planner', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *', jitterMs: 500 });
    scene.clock.advance(5 * SECOND_MS);
    await instance.planner.runOnce();
    const before = await executionsOf(scene.pool, job.id);
    const delays = before.map(
      (row) => (row['available_at'] as Date).getTime() - (row['scheduled_at'] as Date).getTime(),
    );
    expect(delays).toHaveLength(5);
    expect(delays.every((delay) => delay >= 0 && delay < 500)).toBe(true);
    expect(new Set(delays).size).toBeGreaterThan(1);

    await forgetPlan(job.id);
    await instance.planner.runOnce();
    const again = await executionsOf(scene.pool, job.id);
    expect(again.map((row) => row['available_at'])).toEqual(before.map((row) => row['available_at']));
  });
});

describe('many due jobs', () => {
  it('are planned in one batch', async () => {
    const instance = scene.instance();
    await insertJobsEverySecond(300);
    await instance.planner.runOnce();
    expect(await count(scene.pool, `job_executions WHERE status = 'PENDING'`)).toBe(300);
    expect(await count(scene.pool, `event_log WHERE kind = 'EXECUTION_PLANNED'`)).toBe(300);
    expect(await count(scene.pool, 'jobs WHERE next_run_at <= $1', [scene.clock.now()])).toBe(0);
  });

  it('are left to the next batch when the planning takes long', async () => {
    await insertJobsEverySecond(10);
    let readings = 0;
    const planner = createPlanner({
      pool: scene.pool,
      clock: scene.clock,
      longestRestMs: LONGEST_REST_MS,
      slotPrefetch: NO_PREFETCH,
      newId: newUuidV7,
      resumePaused: () => Promise.resolve(null),
      onPlanned: () => undefined,
      onError: () => undefined,
      // Pretends that each job takes a second.
      monotonicMs: () => SECOND_MS * readings++,
    });
    await planner.runOnce();
    expect(await count(scene.pool, 'job_executions')).toBe(3);
    for (let batch = 2; batch <= 4; batch += 1) await planner.runOnce();
    expect(await count(scene.pool, 'job_executions')).toBe(10);
  });

  it('have one execution per slot when two instances plan at once', async () => {
    const instances = [scene.instance(), scene.instance()];
    await insertJobsEverySecond(200);
    for (let second = 0; second < 3; second += 1) {
      await Promise.all(instances.map((instance) => instance.planner.runOnce()));
      scene.clock.advance(SECOND_MS);
    }
    for (const instance of instances) await instance.planner.runOnce();
    expect(await count(scene.pool, 'job_executions')).toBe(800);
    expect(
      await count(scene.pool, '(SELECT DISTINCT job_id, scheduled_at FROM job_executions) AS slots'),
    ).toBe(800);
    expect(await count(scene.pool, `event_log WHERE kind = 'EXECUTION_PLANNED'`)).toBe(800);
  });

  it('are not delayed by one that cannot be planned, which is skipped', async () => {
    const instance = scene.instance();
    const broken = await insertJob(scene.pool, { schedule: 'no schedule at all', next_run_at: START });
    const sound = await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: START });
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, sound)).toHaveLength(1);
    expect(await readRow(scene.pool, 'jobs', broken)).toMatchObject({ status: 'ACTIVE', next_run_at: null });
    expect(await executionsOf(scene.pool, broken)).toEqual([]);
  });
});

describe('a slot that was planned before', () => {
  it('is planned again without a second execution and without a second event', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *' });
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    await instance.work();
    const before = await executionsOf(scene.pool, job.id);
    const events = await eventsOf(scene.pool);
    instance.wakeUps.woken.length = 0;

    await scene.pool.query('UPDATE jobs SET next_run_at = $1', [plus(START, SECOND_MS)]);
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toEqual(before);
    expect(await eventsOf(scene.pool)).toEqual(events);
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({
      next_run_at: plus(START, 2 * SECOND_MS),
    });
    expect(instance.wakeUps.woken).toEqual([]);
  });
});

describe('a job that is not active', () => {
  it('is not planned while it is paused', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *' });
    await instance.commands.pauseJob(CALLER, reference(job));
    scene.clock.advance(5 * SECOND_MS);
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toEqual([]);
  });

  it('is not planned once it is deleted', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *' });
    await instance.commands.deleteJob(CALLER, reference(job));
    scene.clock.advance(5 * SECOND_MS);
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, job.id)).toEqual([]);
  });

  it('resumes automatically when its pause ends, without the slots of the pause', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '*/10 * * * * *' });
    const until = plus(START, 25 * SECOND_MS);
    await instance.commands.pauseJob(CALLER, { ...reference(job), until, reason: 'a break' });

    scene.clock.set(plus(until, -1));
    await instance.planner.runOnce();
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ status: 'PAUSED' });
    scene.clock.set(until);
    await instance.planner.runOnce();
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({
      status: 'ACTIVE',
      paused_until: null,
      next_run_at: plus(START, 30 * SECOND_MS),
    });
    scene.clock.set(plus(START, 30 * SECOND_MS));
    await instance.planner.runOnce();
    expect((await executionsOf(scene.pool, job.id)).map((row) => row['scheduled_at'])).toEqual([
      plus(START, 30 * SECOND_MS),
    ]);
    expect(await eventKindsOf(scene.pool, job.id)).toEqual([
      'JOB_CREATED',
      'JOB_PAUSED',
      'JOB_RESUMED',
      'EXECUTION_PLANNED',
    ]);
    const told = `job_audit_log WHERE job_id = $1 AND action = 'RESUMED' AND actor = 'scheduler'
      AND request_id IS NULL AND address IS NULL`;
    expect(await count(scene.pool, told, [job.id])).toBe(1);
  });

  it('stays paused without an end when its schedule cannot be read; other jobs resume', async () => {
    const instance = scene.instance();
    const broken = await insertJob(scene.pool, {
      schedule: 'no schedule at all',
      status: 'PAUSED',
      paused_at: START,
      paused_until: START,
    });
    const sound = await createJob(instance, { schedule: '* * * * * *' });
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, sound.id)).toHaveLength(1);
    expect(await readRow(scene.pool, 'jobs', broken)).toMatchObject({ status: 'PAUSED', paused_until: null });
    const told = `job_audit_log WHERE job_id = $1 AND actor = 'scheduler' AND request_id IS NULL AND address IS NULL
      AND after = '{"pausedUntil": null}'`;
    expect(await count(scene.pool, told, [broken])).toBe(1);
  });

  it('whose row is locked does not delay planning, and resumes soon after', async () => {
    const instance = scene.instance();
    const paused = await createJob(instance, { schedule: '0 0 * * * *' });
    await instance.commands.pauseJob(CALLER, { ...reference(paused), until: plus(START, SECOND_MS) });
    const due = await createJob(instance, { schedule: '* * * * * *' });
    scene.clock.advance(SECOND_MS);
    instance.wakeUps.woken.length = 0;
    const { rests } = watchTicks();
    await inTransaction(scene.pool, async (tx) => {
      await tx.query('SELECT FROM jobs WHERE id = $1 FOR UPDATE', [paused.id]);
      instance.planner.start();
      await until(() => rests.length > 0);
      await instance.planner.stop();
    });
    expect(await executionsOf(scene.pool, due.id)).toHaveLength(1);
    expect(rests[0]).toBe(50);
    // Nothing has changed, so nothing is published. Otherwise the planners would poll again and again.
    expect(instance.wakeUps.woken).not.toContain('jobs');
    await instance.planner.runOnce();
    expect(await readRow(scene.pool, 'jobs', paused.id)).toMatchObject({ status: 'ACTIVE' });
  });

  it('is resumed once when two instances see its pause end at once', async () => {
    const [one, other] = [scene.instance(), scene.instance()];
    const job = await createJob(one, { schedule: '0 0 * * * *' });
    await one.commands.pauseJob(CALLER, { ...reference(job), until: plus(START, SECOND_MS) });
    scene.clock.advance(SECOND_MS);
    await Promise.all([one.planner.runOnce(), other.planner.runOnce()]);
    expect((await eventKindsOf(scene.pool, job.id)).filter((kind) => kind === 'JOB_RESUMED')).toHaveLength(1);
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ version: 3 });
  });
});

describe('a job whose executions the database rejects', () => {
  it('does not prevent planning of others, and is retried later', async () => {
    let nowMs = 0;
    const instance = scene.instance({ monotonicMs: () => nowMs });
    const jobs = [];
    for (let n = 0; n < 3; n += 1) jobs.push(await createJob(instance, { schedule: '* * * * * *' }));
    const [sound, refused, other] = jobs.map(({ id }) => id) as [string, string, string];
    await refuseExecutionsOf(scene.pool, [refused]);
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    for (const id of [sound, other]) expect(await executionsOf(scene.pool, id)).toHaveLength(1);
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    for (const id of [sound, other]) expect(await executionsOf(scene.pool, id)).toHaveLength(2);
    expect(await executionsOf(scene.pool, refused)).toEqual([]);

    await acceptAll(scene.pool);
    nowMs += 10_000;
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, refused)).toHaveLength(2);
  });
});

describe('slots that no instance planned in time', () => {
  // No instance plans from START on. An hour later the slots of the last minute are on time, the others missed.
  const outage = async (misfirePolicy: 'RUN_ONCE' | 'RUN_ALL' | 'SKIP') => {
    const instance = scene.instance();
    const job = await createJob(instance, {
      schedule: '0 */10 * * * *',
      misfirePolicy,
      misfireGraceMs: MINUTE_MS,
    });
    scene.clock.advance(60 * MINUTE_MS);
    await instance.planner.runOnce();
    return job;
  };
  const slotAt = (minute: number) => plus(START, minute * MINUTE_MS);

  it('run once under RUN_ONCE: the latest slot, which records how many it stands for', async () => {
    const job = await outage('RUN_ONCE');
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      {
        scheduled_at: slotAt(10),
        status: 'SKIPPED',
        skip_reason: 'MISFIRE',
        slot_count: 4,
        finished_at: slotAt(60),
      },
      { scheduled_at: slotAt(50), status: 'PENDING', trigger: 'CATCH_UP', slot_count: 5 },
      { scheduled_at: slotAt(60), status: 'PENDING', trigger: 'SCHEDULE', slot_count: 1 },
    ]);
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ next_run_at: slotAt(70) });
  });

  it('all run under RUN_ALL', async () => {
    const job = await outage('RUN_ALL');
    const rows = await executionsOf(scene.pool, job.id);
    expect(rows.map((row) => row['scheduled_at'])).toEqual([10, 20, 30, 40, 50, 60].map(slotAt));
    expect(rows.map((row) => row['trigger'])).toEqual([...Array<string>(5).fill('CATCH_UP'), 'SCHEDULE']);
    expect(rows.every((row) => row['status'] === 'PENDING' && row['slot_count'] === 1)).toBe(true);
  });

  it('become one SKIPPED row for the whole range under SKIP, with an event', async () => {
    const job = await outage('SKIP');
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      { scheduled_at: slotAt(10), status: 'SKIPPED', skip_reason: 'MISFIRE', slot_count: 5 },
      { scheduled_at: slotAt(60), status: 'PENDING', trigger: 'SCHEDULE', slot_count: 1 },
    ]);
    expect(await eventKindsOf(scene.pool, job.id)).toEqual([
      'JOB_CREATED',
      'EXECUTION_SKIPPED',
      'EXECUTION_PLANNED',
    ]);
  });

  it('are planned in limited batches when many jobs missed a day', async () => {
    const instance = scene.instance();
    await insertJobsEverySecond(3, { misfire_policy: 'RUN_ALL', misfire_grace_ms: 0 });
    scene.clock.advance(DAY_MS);
    await instance.planner.runOnce();
    const due = () => count(scene.pool, 'jobs WHERE next_run_at <= $1', [scene.clock.now()]);
    expect(await due()).toBe(2);
    while ((await due()) > 0) await instance.planner.runOnce();
    // For each job: the latest 1,000 missed slots, the one on time, and one row for the others.
    expect(await count(scene.pool, 'job_executions')).toBe(3 * 1_002);
  });

  it('do not delay slots that become due while they are planned', async () => {
    const instance = scene.instance();
    await insertJobsEverySecond(3, { misfire_policy: 'RUN_ALL', misfire_grace_ms: 0 });
    const now = scene.clock.advance(DAY_MS);
    const fresh = await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: now });
    await instance.planner.runOnce();
    expect(await executionsOf(scene.pool, fresh)).toHaveLength(1);
    expect(await count(scene.pool, 'jobs WHERE next_run_at <= $1', [now])).toBe(2);
    await instance.planner.runOnce();
    expect(await count(scene.pool, 'jobs WHERE next_run_at <= $1', [now])).toBe(1);
  });
});

describe('a job whose slots come to an end', () => {
  it('is COMPLETED by the last run of a one-off, and there is an event', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { runAt: plus(START, 5 * SECOND_MS) });
    scene.clock.advance(5 * SECOND_MS);
    await instance.planner.runOnce();
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({
      status: 'COMPLETED',
      next_run_at: null,
      version: 2,
      updated_at: plus(START, 5 * SECOND_MS),
    });
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([
      { status: 'PENDING', trigger: 'SCHEDULE' },
    ]);
    expect(await eventKindsOf(scene.pool, job.id)).toEqual([
      'JOB_CREATED',
      'EXECUTION_PLANNED',
      'JOB_COMPLETED',
    ]);
    const { rows } = await scene.pool.query(
      'SELECT action, actor, before, after, request_id FROM job_audit_log WHERE job_id = $1 ORDER BY at',
      [job.id],
    );
    expect(rows.at(-1)).toEqual({
      action: 'UPDATED',
      actor: 'scheduler',
      before: { status: 'ACTIVE' },
      after: { status: 'COMPLETED' },
      request_id: null,
    });
    expect(rows).toHaveLength(2);
  });

  it('has its slot at endAt and none after it', async () => {
    const instance = scene.instance();
    const endAt = plus(START, 2 * SECOND_MS);
    const job = await createJob(instance, { schedule: '* * * * * *', endAt });
    scene.clock.advance(10 * SECOND_MS);
    await instance.planner.runOnce();
    const rows = await executionsOf(scene.pool, job.id);
    expect(rows.map((row) => row['scheduled_at'])).toEqual([plus(START, SECOND_MS), endAt]);
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ status: 'COMPLETED' });
  });
});

async function insertJobsEverySecond(jobs: number, columns: Record<string, unknown> = {}): Promise<void> {
  await insertJobsOfSlot(scene.pool, jobs, START, { schedule: '* * * * * *', ...columns });
}

/** The state after a failover that lost the last commits. */
async function forgetPlan(jobId: string): Promise<void> {
  await scene.pool.query('DELETE FROM job_executions WHERE job_id = $1', [jobId]);
  await scene.pool.query('UPDATE jobs SET next_run_at = $2 WHERE id = $1', [jobId, plus(START, SECOND_MS)]);
}

const DAY_MS = 24 * 60 * MINUTE_MS;

describe('the wait between two polls', () => {
  const firstRest = async (loop: Loop) => {
    const { rests } = watchTicks();
    loop.start();
    await until(() => rests.length > 0);
    return rests[0];
  };

  it('lasts until shortly before the earliest job is due, when the planner reads that job', async () => {
    const { planner } = scene.instance();
    await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: plus(START, 4_321) });
    await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: plus(START, 9_000) });
    expect(await firstRest(planner)).toBe(3_921);
  });

  it('lasts until the planner prepares the slot, when the earliest job is due soon', async () => {
    const { planner } = scene.instance();
    await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: plus(START, 1_000) });
    await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: plus(START, 9_000) });
    scene.clock.set(plus(START, 877));
    // 20 ms before the slot, a quarter of a millisecond for the one job, without fractions.
    expect(await firstRest(planner)).toBe(102);
  });

  it('lasts until the earliest job is due, when its slot cannot be prefetched', async () => {
    const { planner } = scene.instance();
    const limited = { concurrency_policy: 'FORBID', next_run_at: plus(START, 123) };
    await insertJob(scene.pool, { schedule: '* * * * * *', ...limited });
    await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: plus(START, 150) });
    expect(await firstRest(planner)).toBe(123);
  });

  it('lasts until a pause ends, when that comes first', async () => {
    const { planner } = scene.instance();
    await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: plus(START, 4_321) });
    const pause = { status: 'PAUSED', paused_at: START, paused_until: plus(START, 1_234) };
    await insertJob(scene.pool, { schedule: '* * * * * *', ...pause });
    expect(await firstRest(planner)).toBe(1_234);
  });

  it('never exceeds its limit', async () => {
    const { planner } = scene.instance();
    await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: plus(START, 3_600_000) });
    expect(await firstRest(planner)).toBe(LONGEST_REST_MS);
  });

  it('is not a tight loop while a due job is locked', async () => {
    const { planner } = scene.instance();
    const job = await insertJob(scene.pool, { schedule: '* * * * * *', next_run_at: START });
    await inTransaction(scene.pool, async (tx) => {
      await tx.query('SELECT FROM jobs WHERE id = $1 FOR UPDATE', [job]);
      expect(await firstRest(planner)).toBeGreaterThanOrEqual(20);
    });
    await until(async () => (await executionsOf(scene.pool, job)).length > 0);
  });
});
