import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { AlertNotice } from '../../src/domain/alert/alert-notice.ts';
import { pruneEvents, readEventLogState, readEvents } from '../../src/store/events/event-log.ts';
import { appendEvents } from '../../src/store/events/append-events.ts';
import { settle, settlementRow } from '../../src/store/executions/settling.ts';
import { inTransaction } from '../../src/store/statements/sql.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import type { StoredJob } from '../../src/store/jobs/jobs.ts';
import { createAlert, deliverAll, deliveriesOf } from '../support/alerts.ts';
import {
  ALERT_MAX_PER_MINUTE,
  CALLER,
  createJob,
  LONGEST_REST_MS,
  reference,
  type TestInstance,
  trigger,
  valueOf,
} from '../support/instance.ts';
import { claimFor } from '../support/claims.ts';
import { plus, START } from '../support/manual-clock.ts';
import { watchTicks } from '../support/rests.ts';
import { count, insertExecution, insertJob, readRow } from '../support/rows.ts';
import { uncalled } from '../support/settlements.ts';
import { useScene } from '../support/scene.ts';
import { until } from '../support/until.ts';

const scene = useScene();
const RECEIVER = 'http://receiver.test/alerts';

/** Runs a job by hand once per letter: F fails, S succeeds. Returns the id of the last execution. */
async function run(instance: TestInstance, job: StoredJob, letters: string): Promise<string | undefined> {
  const path = new URL(job.api).pathname;
  let last: string | undefined;
  for (const letter of letters) {
    scene.target.script(path, letter === 'F' ? 500 : 200);
    last = await trigger(instance, job);
    await instance.work();
  }
  return last;
}

async function jobOf(
  instance: TestInstance,
  input: Parameters<typeof createJob>[1] = {},
): Promise<StoredJob> {
  return createJob(instance, { name: 'Nightly report', api: `${scene.target.url}/hook`, ...input });
}

async function toldOf(alert: { id: string }): Promise<unknown[]> {
  return (await deliveriesOf(scene.pool, alert.id)).map((delivery) => delivery['event']);
}

describe('the result of a run', () => {
  it('is written as deliveries with all facts of the event', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance, { key: 'reports/nightly' });
    const alert = await createAlert(instance, job, {
      target: RECEIVER,
      events: ['FAILED', 'RECOVERED'],
      failureThreshold: 3,
    });
    const third = await run(instance, job, 'FFF');
    await run(instance, job, 'F');
    await instance.alertReader.runOnce();
    const [failed, ...others] = await deliveriesOf(scene.pool, alert.id);
    expect(others).toEqual([]);
    expect(failed).toMatchObject({
      event: 'FAILED',
      status: 'PENDING',
      attempts: 0,
      execution_id: third,
      occurrences: 1,
      payload: {
        version: 1,
        id: encodePublicId('AlertDelivery', String(failed?.['id'])),
        event: 'FAILED',
        alert: { id: encodePublicId('JobAlert', alert.id) },
        job: { id: encodePublicId('Job', job.id), key: 'reports/nightly', name: 'Nightly report' },
        execution: {
          id: encodePublicId('Execution', String(third)),
          status: 'FAILED',
          trigger: 'MANUAL',
          failureReason: 'HTTP_STATUS',
          responseStatus: 500,
          attemptCount: 1,
        },
        failuresInRow: 3,
        isFailing: true,
      },
    });
    expect(await readRow(scene.pool, 'job_alerts', alert.id)).toMatchObject({
      failures_in_row: 4,
      is_failing: true,
    });

    scene.clock.advance(1_000);
    await run(instance, job, 'SS');
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual(['FAILED', 'RECOVERED']);
    expect(await readRow(scene.pool, 'job_alerts', alert.id)).toMatchObject({
      failures_in_row: 0,
      is_failing: false,
    });
  });

  it('is reported to each alert by its own rules, and only for its own job', async () => {
    const instance = scene.instance();
    const [job, other] = [await jobOf(instance), await jobOf(instance)];
    const first = await createAlert(instance, job, { target: RECEIVER });
    const third = await createAlert(instance, job, { target: RECEIVER, failureThreshold: 3 });
    const all = await createAlert(instance, job, {
      target: RECEIVER,
      events: ['DEAD_LETTERED', 'SUCCEEDED'],
    });
    const disabled = await createAlert(instance, job, { target: RECEIVER, enabled: false });
    await run(instance, other, 'FS');
    await run(instance, job, 'FFS');
    await instance.alertReader.runOnce();
    expect(await toldOf(first)).toEqual(['FAILED']);
    expect(await toldOf(third)).toEqual([]);
    expect(await toldOf(all)).toEqual(['DEAD_LETTERED', 'DEAD_LETTERED', 'SUCCEEDED']);
    expect(await toldOf(disabled)).toEqual([]);
  });

  it('counts as one failure when all retries have ended, and each retry counts as none', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance, { retryPolicy: { maxRetries: 2, initialDelayMs: 1_000 } });
    const alert = await createAlert(instance, job, { target: RECEIVER, events: ['FAILED', 'DEAD_LETTERED'] });
    scene.target.script('/hook', 500);
    await trigger(instance, job);
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      await instance.work();
      await instance.alertReader.runOnce();
      expect(await toldOf(alert)).toEqual(attempt < 3 ? [] : ['FAILED', 'DEAD_LETTERED']);
      scene.clock.advance(10_000);
    }
  });

  it('is not reported when the run was cancelled, and the failures in a row stay as they are', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, {
      target: RECEIVER,
      events: ['FAILED', 'RECOVERED', 'SKIPPED', 'SUCCEEDED'],
      failureThreshold: 2,
    });
    await run(instance, job, 'F');
    const id = await trigger(instance, job);
    valueOf(await instance.commands.cancelExecution(CALLER, { id: encodePublicId('Execution', id) }));
    await run(instance, job, 'F');
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual(['FAILED']);
  });

  it('is reported when a callback did not arrive', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance, { completion: 'CALLBACK', completionTimeoutMs: 1_000 });
    const alert = await createAlert(instance, job, { target: RECEIVER });
    await run(instance, job, 'S');
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual([]);
    scene.clock.advance(2_000);
    await instance.callbackWatch.runOnce();
    await instance.alertReader.runOnce();
    expect(await deliveriesOf(scene.pool, alert.id)).toMatchObject([
      { event: 'FAILED', payload: { execution: { failureReason: 'TIMEOUT' } } },
    ]);
  });

  it('is reported when an instance died: a run that its rescue gives up is a failure', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance, { type: 'ATMOST_ONCE' });
    const alert = await createAlert(instance, job, { target: RECEIVER });
    await insertExecution(scene.pool, job.id, 'RUNNING');
    scene.clock.advance(40_000);
    await instance.rescuer.runOnce();
    await instance.alertReader.runOnce();
    expect(await deliveriesOf(scene.pool, alert.id)).toMatchObject([
      { event: 'FAILED', payload: { execution: { failureReason: 'INSTANCE_LOST' } } },
    ]);
  });

  it('is reported for slots that the planner skips, with the reason, and not for slots that a user skipped', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance, { schedule: '0 * * * * *', misfirePolicy: 'SKIP' });
    const alert = await createAlert(instance, job, { target: RECEIVER, events: ['SKIPPED'] });
    const slot = plus(START, 60_000);
    valueOf(await instance.commands.skipRun(CALLER, { jobId: reference(job).id, scheduledAt: slot }));
    scene.clock.advance(3_600_000);
    await instance.planner.runOnce();
    await instance.alertReader.runOnce();
    expect(await deliveriesOf(scene.pool, alert.id)).toMatchObject([
      { event: 'SKIPPED', payload: { execution: { skipReason: 'MISFIRE', status: 'SKIPPED' } } },
    ]);
  });

  it('is reported although its execution was pruned before the reader ran', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, { target: RECEIVER, events: ['SUCCEEDED'] });
    await run(instance, job, 'S');
    await scene.pool.query('DELETE FROM job_executions');
    await instance.alertReader.runOnce();
    expect(await deliveriesOf(scene.pool, alert.id)).toMatchObject([
      { event: 'SUCCEEDED', execution_id: null, payload: { execution: { status: 'SUCCESS' } } },
    ]);
  });

  it('is no longer reported for deleted jobs', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, { target: RECEIVER });
    await run(instance, job, 'F');
    valueOf(await instance.commands.deleteJob(CALLER, reference(job)));
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual([]);
  });
});

describe('an alert', () => {
  it('reports nothing from before its creation', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    await run(instance, job, 'FFF');
    const alert = await createAlert(instance, job, { target: RECEIVER, failureThreshold: 2 });
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual([]);
    await run(instance, job, 'F');
    const later = await createAlert(instance, job, { target: RECEIVER });
    await run(instance, job, 'F');
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual(['FAILED']);
    expect(await toldOf(later)).toEqual(['FAILED']);
    expect(await readRow(scene.pool, 'job_alerts', later.id)).toMatchObject({ failures_in_row: 1 });
  });

  it('that is enabled again starts from zero', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, { target: RECEIVER, events: ['FAILED', 'RECOVERED'] });
    const id = encodePublicId('JobAlert', alert.id);
    await run(instance, job, 'F');
    await instance.alertReader.runOnce();
    valueOf(await instance.commands.updateJobAlert(CALLER, { id, enabled: false }));
    await run(instance, job, 'FF');
    await instance.alertReader.runOnce();
    valueOf(await instance.commands.updateJobAlert(CALLER, { id, enabled: true }));
    await run(instance, job, 'SF');
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual(['FAILED', 'FAILED']);
    expect(await readRow(scene.pool, 'job_alerts', alert.id)).toMatchObject({ failures_in_row: 1 });
  });
});

describe('lateness', () => {
  const late = { target: RECEIVER, events: ['LATE'], latenessThresholdMs: 5_000 } as const;
  const minutely = { schedule: '0 * * * * *', misfirePolicy: 'RUN_ALL', misfireGraceMs: 600_000 } as const;

  it('is reported once for a run that started too late, and not for other runs', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance, { ...minutely, retryPolicy: { maxRetries: 1, initialDelayMs: 1 } });
    const alert = await createAlert(instance, job, late);
    scene.target.script('/hook', [500, 200]);
    scene.clock.advance(60_000 + 5_000);
    await instance.planner.runOnce();
    await instance.work();
    scene.clock.advance(59_000);
    await instance.planner.runOnce();
    await instance.work();
    await instance.work();
    await instance.alertReader.runOnce();
    expect(await deliveriesOf(scene.pool, alert.id)).toEqual([]);
    scene.clock.advance(56_001 + 5_000);
    await instance.planner.runOnce();
    await instance.work();
    await instance.alertReader.runOnce();
    expect(await deliveriesOf(scene.pool, alert.id)).toMatchObject([
      { event: 'LATE', payload: { execution: { latenessMs: 5_001, status: 'RUNNING' } } },
    ]);
  });

  it('is reported as soon as a waiting run is late, and not again when the run starts', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance, minutely);
    const alert = await createAlert(instance, job, late);
    scene.clock.advance(60_000);
    await instance.planner.runOnce();
    scene.clock.advance(5_000);
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual([]);
    scene.clock.advance(1_001);
    await instance.alertReader.runOnce();
    expect(await deliveriesOf(scene.pool, alert.id)).toMatchObject([
      { event: 'LATE', payload: { execution: { startedAt: null, status: 'PENDING', latenessMs: null } } },
    ]);
    scene.clock.advance(10_000);
    await instance.alertReader.runOnce();
    await instance.work();
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual(['LATE']);
    expect(await count(scene.pool, 'job_alert_late_executions')).toBe(0);
    expect(await count(scene.pool, `event_log WHERE kind = 'EXECUTION_STARTED'`)).toBe(1);
  });

  it.each([
    ['before it is claimed', 6_001],
    ['when it is claimed', 0],
  ])(
    'is reported once for a run that is claimed and given back again and again, first %s',
    async (_, waitMs) => {
      const instance = scene.instance();
      const job = await jobOf(instance, minutely);
      const alert = await createAlert(instance, job, late);
      scene.clock.advance(60_000);
      await instance.planner.runOnce();
      scene.clock.advance(waitMs);
      await instance.alertReader.runOnce();
      scene.clock.advance(6_001);
      for (let claimSeq = 1; claimSeq <= 3; claimSeq += 1) {
        const [claimed] = await claimFor(scene.pool, 'another', scene.clock.now());
        await instance.alertReader.runOnce();
        await settle(scene.pool, [uncalled(claimed?.id ?? '', claimSeq)].map(settlementRow));
        await instance.alertReader.runOnce();
        scene.clock.advance(60_000);
        await instance.alertReader.runOnce();
      }
      expect(await toldOf(alert)).toEqual(['LATE']);
      await instance.work();
      await instance.alertReader.runOnce();
      expect(await toldOf(alert)).toEqual(['LATE']);
      expect(await count(scene.pool, 'job_alert_late_executions')).toBe(0);
    },
  );

  it('is also reported for a run that waits for earlier runs, and never for a run without a slot', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, late);
    await insertExecution(scene.pool, job.id, 'PENDING');
    await insertExecution(scene.pool, job.id, 'BLOCKED', { trigger: 'SCHEDULE', scheduled_at: START });
    scene.clock.advance(60_000);
    await instance.alertReader.runOnce();
    expect(await deliveriesOf(scene.pool, alert.id)).toMatchObject([
      { payload: { execution: { status: 'BLOCKED' } } },
    ]);
  });

  it('is checked when it is due, without polling', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance, minutely);
    await createAlert(instance, job, late);
    await instance.planner.runOnce();
    const { rests } = watchTicks();
    instance.alertReader.start();
    await until(() => rests.length > 0);
    expect(rests).toEqual([LONGEST_REST_MS]);
    await instance.alertReader.stop();

    scene.clock.advance(60_000);
    await instance.planner.runOnce();
    instance.alertReader.start();
    await until(() => rests.length > 1);
    expect(rests).toEqual([LONGEST_REST_MS, 5_001]);
  });
});

describe('many events', () => {
  it('are reported one by one up to the limit, and one more delivery counts the rest', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, { target: RECEIVER, events: ['SUCCEEDED'] });
    await run(instance, job, 'SSSSS');
    await instance.alertReader.runOnce();
    const newest = await run(instance, job, 'SS');
    await instance.alertReader.runOnce();
    const deliveries = await deliveriesOf(scene.pool, alert.id);
    expect(deliveries.map((delivery) => delivery['occurrences'])).toEqual([1, 1, 1, 4]);
    expect(deliveries).toHaveLength(ALERT_MAX_PER_MINUTE + 1);
    expect(deliveries.at(-1)).toMatchObject({
      due_at: plus(START, 60_000),
      available_at: plus(START, 60_000),
      execution_id: newest,
      payload: { occurrences: 4, execution: { id: encodePublicId('Execution', String(newest)) } },
    });
    expect((deliveries.at(-1)?.['payload'] as { id: string }).id).toBe(
      encodePublicId('AlertDelivery', String(deliveries.at(-1)?.['id'])),
    );
  });

  it('of one kind delay neither another kind nor another alert', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, { target: RECEIVER, events: ['SUCCEEDED', 'FAILED'] });
    await run(instance, job, 'SSSSSSF');
    await instance.alertReader.runOnce();
    const other = await createAlert(instance, job, { target: RECEIVER, events: ['SUCCEEDED'] });
    await run(instance, job, 'S');
    await instance.alertReader.runOnce();
    const due = (await deliveriesOf(scene.pool)).filter(
      (delivery) => delivery['due_at']?.valueOf() === START.valueOf(),
    );
    expect(due.map((delivery) => delivery['event']).toSorted()).toEqual([
      'FAILED',
      'SUCCEEDED',
      'SUCCEEDED',
      'SUCCEEDED',
      'SUCCEEDED',
    ]);
    expect(await toldOf(other)).toEqual(['SUCCEEDED']);
    expect(await toldOf(alert)).toHaveLength(ALERT_MAX_PER_MINUTE + 2);
  });

  it.each([
    ['FSFSFSFSF', 'FAILED'],
    ['FSFSFSFSFS', 'RECOVERED'],
  ])('that contradict each other, %s, end with %s, which is then true', async (letters, last) => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    await createAlert(instance, job, {
      target: `${scene.target.url}/alerts`,
      events: ['FAILED', 'RECOVERED'],
    });
    for (const letter of letters) {
      await run(instance, job, letter);
      await instance.alertReader.runOnce();
      await deliverAll(instance);
      scene.clock.advance(1_000);
    }
    scene.clock.advance(60_000);
    await deliverAll(instance);
    const told = scene.target.callsTo('/alerts').map(({ body }) => JSON.parse(body) as AlertNotice);
    expect(told.at(-1)).toMatchObject({ event: last, isFailing: last === 'FAILED' });
    expect(told.reduce((sum, { occurrences }) => sum + occurrences, 0)).toBe(letters.length);
    expect(told).toHaveLength(2 * ALERT_MAX_PER_MINUTE + 2);
  });

  it('are reported one by one again after a minute', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, { target: scene.target.url, events: ['SUCCEEDED'] });
    await run(instance, job, 'SSSSSS');
    await instance.alertReader.runOnce();
    scene.clock.advance(60_000);
    await deliverAll(instance);
    await run(instance, job, 'S');
    await instance.alertReader.runOnce();
    expect((await deliveriesOf(scene.pool, alert.id)).map((delivery) => delivery['occurrences'])).toEqual([
      1, 1, 1, 3, 1,
    ]);
  });
});

describe('reading and sending at once', () => {
  it('reports each event once: nothing joins a delivery that is being sent', async () => {
    const instances = [scene.instance(), scene.instance()];
    const [first = scene.instance()] = instances;
    const job = await jobOf(first);
    await createAlert(first, job, { target: `${scene.target.url}/alerts`, events: ['SUCCEEDED'] });
    const succeed = (count: number) =>
      inTransaction(scene.pool, (tx) =>
        appendEvents(
          tx,
          Array.from({ length: count }, () => ({
            at: scene.clock.now(),
            kind: 'EXECUTION_SUCCEEDED' as const,
            jobId: job.id,
            executionId: randomUUID(),
            status: 'SUCCESS' as const,
            trigger: 'MANUAL' as const,
          })),
        ),
      );
    let happened = 0;
    for (let round = 0; round < 30; round += 1) {
      const steps = instances.flatMap(({ alertReader, deliverer }) => [
        alertReader.runOnce(),
        deliverer.runOnce(),
      ]);
      const count = 1 + (round % 4);
      happened += count;
      await Promise.all([succeed(count), ...steps]);
      await Promise.all(instances.map(({ alertReader }) => alertReader.runOnce()));
      scene.clock.advance(round % 3 === 0 ? 31_000 : 7_000);
    }
    scene.clock.advance(120_000);
    await Promise.all(instances.map(deliverAll));

    const told = new Map<string, number>();
    for (const { body } of scene.target.callsTo('/alerts')) {
      const { id, occurrences } = JSON.parse(body) as AlertNotice;
      expect(told.has(id)).toBe(false);
      told.set(id, occurrences);
    }
    expect([...told.values()].reduce((sum, occurrences) => sum + occurrences, 0)).toBe(happened);
    expect(told.size).toBeLessThan(happened);
  });
});

describe('the reader', () => {
  it('reads each event once when several instances read at once', async () => {
    const instances = [scene.instance(), scene.instance(), scene.instance()];
    const [first = scene.instance()] = instances;
    const job = await jobOf(first);
    await createAlert(first, job, { target: RECEIVER, events: ['DEAD_LETTERED'] });
    await createAlert(first, job, { target: RECEIVER, events: ['SUCCEEDED'] });
    for (let round = 0; round < 8; round += 1) {
      await Promise.all([
        run(first, job, 'FSFS'),
        ...instances.map(({ alertReader }) => alertReader.runOnce()),
      ]);
      scene.clock.advance(61_000);
    }
    for (const { alertReader } of instances) await alertReader.runOnce();
    const { rows } = await scene.pool.query<{ event: string; told: number }>(
      'SELECT event, sum(occurrences)::int AS told FROM job_alert_deliveries GROUP BY event ORDER BY event',
    );
    expect(rows).toEqual([
      { event: 'DEAD_LETTERED', told: 16 },
      { event: 'SUCCEEDED', told: 16 },
    ]);
  });

  it('changes nothing when it fails, and reports all events in the next step', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, { target: RECEIVER });
    await run(instance, job, 'F');
    await scene.pool.query('ALTER TABLE job_alert_deliveries ADD CONSTRAINT none CHECK (false) NOT VALID');
    await expect(instance.alertReader.runOnce()).rejects.toThrow('none');
    expect(await readRow(scene.pool, 'job_alerts', alert.id)).toMatchObject({ failures_in_row: 0 });
    await scene.pool.query('ALTER TABLE job_alert_deliveries DROP CONSTRAINT none');
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual(['FAILED']);
  });

  it('skips its step when another reader is reading, and polls again soon', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    await createAlert(instance, job, { target: RECEIVER });
    const { rests } = watchTicks();
    await inTransaction(scene.pool, async (tx) => {
      await tx.query('SELECT FROM alert_reader FOR UPDATE');
      instance.alertReader.start();
      await until(() => rests.length > 0);
    });
    expect(rests).toEqual([1_000]);
  });

  it('reads a long log in steps without waiting between them', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    await createAlert(instance, job, { target: RECEIVER });
    const other = await insertJob(scene.pool);
    const event = { at: START, kind: 'EXECUTION_STARTED', jobId: other } as const;
    await inTransaction(scene.pool, (tx) =>
      appendEvents(
        tx,
        Array.from({ length: 2_500 }, () => event),
      ),
    );
    await run(instance, job, 'F');
    const { rests } = watchTicks();
    instance.alertReader.start();
    await until(() => rests.length > 2);
    expect(rests).toEqual([0, 0, LONGEST_REST_MS]);
    expect(await count(scene.pool, 'job_alert_deliveries')).toBe(1);
  });

  it('only checks for alerts while there are none, whatever happens', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const { rests } = watchTicks();
    instance.alertReader.start();
    await until(() => rests.length > 0);
    await run(instance, job, 'FS');
    instance.alertReader.noteEvents();
    await instance.alertReader.runOnce();
    expect(rests).toEqual([LONGEST_REST_MS]);
    expect(await scene.pool.query('SELECT position FROM alert_reader')).toMatchObject({
      rows: [{ position: expect.any(BigInt) as bigint }],
    });
    const { tip } = await readEventLogState(scene.pool);
    expect(await count(scene.pool, 'alert_reader WHERE position < $1', [tip.toString()])).toBe(1);
  });

  it('wakes on events once an alert exists', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    instance.wakeUps.on('alerts', instance.alertReader.wake);
    instance.wakeUps.on('events', instance.alertReader.noteEvents);
    instance.alertReader.start();
    const alert = await createAlert(instance, job, { target: RECEIVER });
    await run(instance, job, 'F');
    await until(async () => (await toldOf(alert)).length === 1);
  });
});

describe('pruning the event log', () => {
  it('keeps events that alerts have not read, and deletes them afterwards', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    const alert = await createAlert(instance, job, { target: RECEIVER });
    await instance.alertReader.runOnce();
    await run(instance, job, 'F');
    const before = await readEvents(scene.pool, 0n, 100);
    const unread = before.filter(({ kind }) => kind.startsWith('EXECUTION_'));
    const soon = plus(START, 3_600_000);
    await pruneEvents(scene.pool, soon, 100);
    expect(await readEvents(scene.pool, 0n, 100)).toEqual(unread);
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual(['FAILED']);
    expect(await pruneEvents(scene.pool, soon, 100)).toBe(unread.length);
  });

  it('does not wait for the reader when no alert is enabled', async () => {
    const instance = scene.instance();
    const job = await jobOf(instance);
    await createAlert(instance, job, { target: RECEIVER, enabled: false });
    await run(instance, job, 'F');
    await pruneEvents(scene.pool, plus(START, 3_600_000), 100);
    expect(await count(scene.pool, 'event_log')).toBe(0);
    const alert = await createAlert(instance, job, { target: RECEIVER });
    await run(instance, job, 'F');
    await instance.alertReader.runOnce();
    expect(await toldOf(alert)).toEqual(['FAILED']);
  });
});
