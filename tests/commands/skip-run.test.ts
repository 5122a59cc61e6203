import { describe, expect, it } from 'vitest';
import { createCommands } from '../../src/commands/commands.ts';
import type { CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { slotExecutionId } from '../../src/domain/schedule/slot-id.ts';
import type { StoredJob } from '../../src/store/jobs/jobs.ts';
import { CALLER, createJob, DAY_MS, reference, type TestInstance, valueOf } from '../support/instance.ts';
import { manualClock, START, plus } from '../support/manual-clock.ts';
import {
  count,
  endCountsOf,
  eventsOf,
  executionsOf,
  insertExecution,
  NO_ENDS,
  readExecution,
  readRow,
  type Row,
} from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();

const MINUTE_MS = 60_000;
/** The scene's clock starts on a full hour. Slots follow on each full minute. */
const slot = (n: number) => plus(START, n * MINUTE_MS);

async function minutely(instance: TestInstance, input: Partial<CreateJobInput> = {}): Promise<StoredJob> {
  return createJob(instance, { schedule: '0 * * * * *', ...input });
}

function skip({ commands }: TestInstance, job: { id: string }, scheduledAt: Date, reason?: string) {
  return commands.skipRun(CALLER, { jobId: encodePublicId('Job', job.id), scheduledAt, reason });
}

async function nextRunOf(job: { id: string }): Promise<unknown> {
  return (await readRow(scene.pool, 'jobs', job.id))['next_run_at'];
}

/** Runs the planner at each full minute, as its own timer would. */
async function planUntil(instance: TestInstance, minutes: number): Promise<void> {
  for (let n = 1; n <= minutes; n += 1) {
    scene.clock.set(slot(n));
    await instance.planner.runOnce();
  }
}

describe('skipping a slot', () => {
  it('records its execution as SKIPPED at once, under the id that every planner derives', async () => {
    const instance = scene.instance();
    const job = await minutely(instance);
    const now = scene.clock.advance(1_000);
    const { executionId } = valueOf(await skip(instance, job, slot(3), 'Maintenance'));
    expect(executionId).toBe(slotExecutionId(job.id, slot(3)));
    expect(await readExecution(scene.pool, executionId)).toMatchObject({
      job_id: job.id,
      status: 'SKIPPED',
      skip_reason: 'OPERATOR',
      trigger: 'SCHEDULE',
      scheduled_at: slot(3),
      created_at: now,
      finished_at: now,
      started_at: null,
      error_message: 'Left out on request: Maintenance',
    });
    expect((await eventsOf(scene.pool, job.id)).at(-1)).toMatchObject({
      kind: 'EXECUTION_SKIPPED',
      execution_id: executionId,
      status: 'SKIPPED',
      scheduled_at: slot(3),
      at: now,
      finished_at: now,
    });
    const { rows } = await scene.pool.query<Row>(`SELECT * FROM job_audit_log WHERE action = 'UPDATED'`);
    expect(rows).toMatchObject([
      {
        job_id: job.id,
        actor: 'test',
        after: {
          skippedRunAt: slot(3).toISOString(),
          executionId: encodePublicId('Execution', executionId),
          reason: 'Maintenance',
        },
      },
    ]);
    expect(await endCountsOf(scene.pool, job.id)).toEqual({ ...NO_ENDS, skipped: 1 });
    expect(await nextRunOf(job)).toEqual(slot(1));
  });

  it('prevents a run of that slot, and of no other', async () => {
    const instance = scene.instance();
    scene.target.script('/hook', 200);
    const job = await minutely(instance, { api: `${scene.target.url}/hook` });
    valueOf(await skip(instance, job, slot(2)));
    valueOf(await skip(instance, job, slot(4)));
    await planUntil(instance, 5);
    await instance.work();
    expect(
      (await executionsOf(scene.pool, job.id)).map((row) => [row['scheduled_at'], row['status']]),
    ).toEqual([
      [slot(1), 'SUCCESS'],
      [slot(2), 'SKIPPED'],
      [slot(3), 'SUCCESS'],
      [slot(4), 'SKIPPED'],
      [slot(5), 'SUCCESS'],
    ]);
    expect(scene.target.calls.map(({ headers }) => headers['x-scheduled-at'])).toEqual(
      [slot(1), slot(3), slot(5)].map((at) => at.toISOString()),
    );
    expect(instance.errors).toEqual([]);
  });

  it('removes the slot for the planner: a catch-up does not use it, and it replaces no other run', async () => {
    const instance = scene.instance();
    const once = await minutely(instance, { misfireGraceMs: 0 });
    const none = await minutely(instance, { misfireGraceMs: 0, misfirePolicy: 'SKIP' });
    const replacing = await minutely(instance, { misfireGraceMs: 600_000, concurrencyPolicy: 'REPLACE' });
    for (const job of [once, none, replacing]) {
      valueOf(await skip(instance, job, slot(5)));
      valueOf(await skip(instance, job, slot(1)));
    }
    scene.clock.set(plus(slot(5), 30_000));
    await instance.planner.runOnce();

    const planned = async (job: StoredJob) =>
      (await executionsOf(scene.pool, job.id)).filter((row) => row['skip_reason'] !== 'OPERATOR');
    expect(await planned(once)).toMatchObject([
      { skip_reason: 'MISFIRE', scheduled_at: slot(2), slot_count: 2 },
      { trigger: 'CATCH_UP', scheduled_at: slot(4), slot_count: 3 },
    ]);
    expect(await planned(none)).toMatchObject([
      { skip_reason: 'MISFIRE', scheduled_at: slot(2), slot_count: 3 },
    ]);
    expect(await planned(replacing)).toMatchObject([
      { skip_reason: 'OVERLAP', scheduled_at: slot(2) },
      { skip_reason: 'OVERLAP', scheduled_at: slot(3) },
      { status: 'PENDING', scheduled_at: slot(4) },
    ]);
    for (const job of [once, none, replacing]) expect(await nextRunOf(job)).toEqual(slot(6));
  });

  it('passes over the slot when the planner reaches the one before it', async () => {
    const instance = scene.instance();
    const job = await minutely(instance);
    valueOf(await skip(instance, job, slot(2)));
    await planUntil(instance, 1);
    expect(await nextRunOf(job)).toEqual(slot(3));
  });

  it('moves the next run to the first slot that is not skipped', async () => {
    const instance = scene.instance();
    const job = await minutely(instance);
    valueOf(await skip(instance, job, slot(2)));
    expect(await nextRunOf(job)).toEqual(slot(1));
    valueOf(await skip(instance, job, slot(1)));
    expect(await nextRunOf(job)).toEqual(slot(3));
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({ status: 'ACTIVE', version: 1 });
  });

  it('changes nothing when it is repeated, also after the slot has passed', async () => {
    const instance = scene.instance();
    const job = await minutely(instance);
    const first = valueOf(await skip(instance, job, slot(1), 'First'));
    const events = await eventsOf(scene.pool);
    expect(valueOf(await skip(instance, job, slot(1), 'Second'))).toEqual(first);
    scene.clock.set(slot(2));
    expect(valueOf(await skip(instance, job, slot(1)))).toEqual(first);
    expect(await eventsOf(scene.pool)).toEqual(events);
    expect(await count(scene.pool, `job_audit_log WHERE action = 'UPDATED'`)).toBe(1);
  });

  it('happens once, however many callers ask at once', async () => {
    const instances = [scene.instance(), scene.instance()];
    const job = await minutely(instances[0] ?? scene.instance());
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) => skip(instances[index % 2] ?? scene.instance(), job, slot(1))),
    );
    expect(new Set(results.map((result) => valueOf(result).executionId)).size).toBe(1);
    expect(await count(scene.pool, `event_log WHERE kind = 'EXECUTION_SKIPPED'`)).toBe(1);
  });

  it('leaves one execution in the slot when the planner reaches it at the same time', async () => {
    const [instance, other] = [scene.instance(), scene.instance()];
    const job = await minutely(instance);
    for (let n = 1; n <= 20; n += 1) {
      // Requested a moment before the slot, executed a moment after it.
      const late = createCommands({ ...instance.commandDeps, clock: manualClock(plus(slot(n), -1)) });
      scene.clock.set(slot(n));
      const [asked] = await Promise.all([
        late.skipRun(CALLER, { jobId: encodePublicId('Job', job.id), scheduledAt: slot(n) }),
        other.planner.runOnce(),
      ]);
      await other.planner.runOnce();
      const { rows } = await scene.pool.query<Row>(
        'SELECT status FROM job_executions WHERE job_id = $1 AND scheduled_at = $2',
        [job.id, slot(n)],
      );
      expect(rows).toEqual([{ status: asked.ok ? 'SKIPPED' : 'PENDING' }]);
    }
    expect([...instance.errors, ...other.errors]).toEqual([]);
  });

  it('completes a job without further runs', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { runAt: slot(5) });
    valueOf(await skip(instance, job, slot(5)));
    expect(await readRow(scene.pool, 'jobs', job.id)).toMatchObject({
      status: 'COMPLETED',
      next_run_at: null,
      version: 2,
    });
    expect((await eventsOf(scene.pool, job.id)).map(({ kind }) => kind)).toEqual([
      'JOB_CREATED',
      'EXECUTION_SKIPPED',
      'JOB_COMPLETED',
    ]);
    expect((await skip(instance, job, slot(5))).ok).toBe(true);
  });

  it('applies to a paused job, also after it is resumed', async () => {
    const instance = scene.instance();
    const job = await minutely(instance);
    valueOf(await instance.commands.pauseJob(CALLER, reference(job)));
    valueOf(await skip(instance, job, slot(1)));
    valueOf(await instance.commands.resumeJob(CALLER, reference(job)));
    expect(await nextRunOf(job)).toEqual(slot(2));
  });

  it('survives a change of the schedule, and applies when the new schedule has the same slot', async () => {
    const instance = scene.instance();
    const job = await minutely(instance);
    const { executionId } = valueOf(await skip(instance, job, slot(2)));
    valueOf(await instance.commands.updateJob(CALLER, { ...reference(job), schedule: '0 */2 * * * *' }));
    expect(await nextRunOf(job)).toEqual(slot(4));
    expect(await readExecution(scene.pool, executionId)).toMatchObject({ status: 'SKIPPED' });
  });

  it('survives retention until the slot has passed', async () => {
    const instance = scene.instance();
    const yearly = await createJob(instance, { schedule: '0 0 9 7 3 *' });
    const far = new Date('2030-03-07T09:00:00.000Z');
    const { executionId } = valueOf(await skip(instance, yearly, far));
    scene.clock.set(plus(far, 30 * DAY_MS));
    await instance.pruner.runOnce();
    expect(await readExecution(scene.pool, executionId)).toMatchObject({ status: 'SKIPPED' });
    scene.clock.advance(1);
    await instance.pruner.runOnce();
    expect(await readExecution(scene.pool, executionId)).toEqual({});
  });
});

describe('skipping is refused', () => {
  it.each([
    {
      name: 'an instant between two slots',
      at: plus(slot(3), 500),
      message: `The nearest are ${slot(3).toISOString()} and ${slot(4).toISOString()}.`,
    },
    {
      name: 'an instant before the first slot',
      at: plus(slot(0), 500),
      message: `The nearest are ${slot(1).toISOString()}.`,
    },
    {
      name: 'a slot that has passed',
      at: slot(0),
      message: `This slot has passed; now is ${START.toISOString()}.`,
    },
    { name: 'the past', at: plus(START, -1), message: `Lies in the past; now is ${START.toISOString()}.` },
  ])('for $name', async ({ at, message }) => {
    const instance = scene.instance();
    const job = await minutely(instance);
    expect(await skip(instance, job, at)).toMatchObject({
      ok: false,
      errors: [
        {
          kind: 'ValidationError',
          path: ['scheduledAt'],
          message: expect.stringContaining(message) as string,
        },
      ],
    });
    expect(await count(scene.pool, 'job_executions')).toBe(0);
  });

  it('for a job without a schedule', async () => {
    const instance = scene.instance();
    const job = await createJob(instance);
    expect(await skip(instance, job, slot(1))).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', path: ['scheduledAt'] }],
    });
  });

  it('for a slot that has become an execution', async () => {
    const instance = scene.instance();
    const job = await minutely(instance);
    const id = await insertExecution(scene.pool, job.id, 'PENDING', {
      trigger: 'SCHEDULE',
      scheduled_at: slot(1),
    });
    expect(await skip(instance, job, slot(1))).toMatchObject({
      ok: false,
      errors: [
        {
          kind: 'ConflictError',
          path: ['scheduledAt'],
          message: expect.stringContaining(encodePublicId('Execution', id)) as string,
        },
      ],
    });
  });

  it('for a run of a job that is complete, deleted or unknown', async () => {
    const instance = scene.instance();
    const [complete, deleted] = [await createJob(instance, { runAt: slot(1) }), await minutely(instance)];
    scene.clock.set(slot(1));
    await instance.planner.runOnce();
    valueOf(await instance.commands.deleteJob(CALLER, reference(deleted)));
    expect(await skip(instance, complete, slot(2))).toMatchObject({
      ok: false,
      errors: [{ kind: 'ConflictError', path: ['jobId'] }],
    });
    for (const jobId of [encodePublicId('Job', deleted.id), 'job_nonsense']) {
      expect(await instance.commands.skipRun(CALLER, { jobId, scheduledAt: slot(2) })).toMatchObject({
        ok: false,
        errors: [{ kind: 'NotFoundError', path: ['jobId'], id: jobId }],
      });
    }
  });

  it('with a reason that is too long', async () => {
    const instance = scene.instance();
    const job = await minutely(instance);
    expect(await skip(instance, job, slot(1), 'x'.repeat(1_001))).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', path: ['reason'] }],
    });
  });
});
