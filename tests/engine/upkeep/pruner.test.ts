import { describe, expect, it } from 'vitest';
import { readEventLogState, readEvents } from '../../../src/store/events/event-log.ts';
import { DAY_MS } from '../../support/instance.ts';
import { START, plus } from '../../support/manual-clock.ts';
import { watchTicks } from '../../support/rests.ts';
import {
  count,
  endCountsOf,
  insertExecution,
  insertJob,
  insertRow,
  readExecution,
} from '../../support/rows.ts';
import { appendTestEvents } from '../../support/events.ts';
import { useScene } from '../../support/scene.ts';
import { until } from '../../support/until.ts';

const scene = useScene();

describe('executions', () => {
  it('are deleted 30 days after their end, with all their dependent rows', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/hook` });
    const id = await insertExecution(scene.pool, job, 'PENDING');
    await instance.work();
    scene.clock.set(plus(START, 30 * DAY_MS));
    await instance.pruner.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS' });
    scene.clock.advance(1);
    await instance.pruner.runOnce();
    expect(await readExecution(scene.pool, id)).toEqual({});
    expect(await count(scene.pool, 'all_execution_attempts')).toBe(0);
    expect(await count(scene.pool, 'all_execution_logs')).toBe(0);
    expect(await endCountsOf(scene.pool, job)).toMatchObject({ success: 1 });
    expect(await count(scene.pool, 'jobs')).toBe(1);
  });

  it('that are not finished stay at any age', async () => {
    const { pruner } = scene.instance();
    const job = await insertJob(scene.pool);
    for (const status of ['PENDING', 'BLOCKED', 'RUNNING', 'RETRYING'] as const) {
      await insertExecution(scene.pool, job, status);
    }
    scene.clock.advance(400 * DAY_MS);
    await pruner.runOnce();
    expect(await count(scene.pool, 'job_executions')).toBe(4);
  });

  it('with an open dead letter stay until it is redriven or discarded', async () => {
    const { pruner } = scene.instance();
    const job = await insertJob(scene.pool);
    const [open, redriven, discarded] = [
      await insertExecution(scene.pool, job, 'FAILED'),
      await insertExecution(scene.pool, job, 'FAILED'),
      await insertExecution(scene.pool, job, 'FAILED'),
    ];
    await scene.pool.query('UPDATE failed_jobs_dlq SET redriven_at = $2 WHERE execution_id = $1', [
      redriven,
      START,
    ]);
    await scene.pool.query('UPDATE failed_jobs_dlq SET discarded_at = $2 WHERE execution_id = $1', [
      discarded,
      START,
    ]);
    scene.clock.advance(31 * DAY_MS);
    await pruner.runOnce();
    const { rows } = await scene.pool.query<{ id: string }>('SELECT id FROM job_executions');
    expect(rows).toEqual([{ id: open }]);
    expect(await count(scene.pool, 'failed_jobs_dlq')).toBe(1);
  });

  it('are deleted in batches: the next one soon follows a full one', async () => {
    const { pruner } = scene.instance();
    const job = await insertJob(scene.pool);
    await scene.pool.query(
      `INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, finished_at, skip_reason)
       SELECT gen_random_uuid(), $1, 'SKIPPED', 'MANUAL', $2, $2, $2, 'OPERATOR' FROM generate_series(1, 1200)`,
      [job, START],
    );
    scene.clock.advance(31 * DAY_MS);
    const { rests } = watchTicks();
    pruner.start();
    await until(() => rests.length > 1);
    expect(rests).toEqual([50, 60_000]);
    expect(await count(scene.pool, 'job_executions')).toBe(0);
  });

  it('are pruned by two instances at once without blocking each other', async () => {
    const instances = [scene.instance(), scene.instance(), scene.instance()];
    const job = await insertJob(scene.pool);
    await scene.pool.query(
      `INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, finished_at, skip_reason)
       SELECT gen_random_uuid(), $1, 'SKIPPED', 'MANUAL', $2, $2, $2::timestamptz + n % 7 * interval '1 s', 'OPERATOR'
       FROM generate_series(1, 3000) AS n`,
      [job, START],
    );
    scene.clock.advance(31 * DAY_MS);
    await Promise.all(instances.map(({ pruner }) => pruner.runOnce()));
    expect(await count(scene.pool, 'job_executions')).toBe(0);
  });
});

describe('audit entries', () => {
  it('are deleted after 365 days, oldest first and in batches, for any job', async () => {
    const { pruner } = scene.instance();
    const job = await insertJob(scene.pool);
    await scene.pool.query(
      `INSERT INTO job_audit_log (id, at, action, actor, job_id)
       SELECT gen_random_uuid(), $2::timestamptz + n * interval '1 s', 'UPDATED', 'ada', CASE WHEN n % 2 = 0 THEN $1::uuid END
       FROM generate_series(1, 1200) AS n`,
      [job, START],
    );
    scene.clock.set(plus(START, 365 * DAY_MS + 1_000));
    await pruner.runOnce();
    expect(await count(scene.pool, 'job_audit_log')).toBe(1_200);
    scene.clock.set(plus(START, 365 * DAY_MS + 1_150_001));
    await pruner.runOnce();
    expect(await count(scene.pool, 'job_audit_log')).toBe(200);
    await pruner.runOnce();
    expect(await count(scene.pool, 'job_audit_log')).toBe(50);
  });
});

describe('deliveries of alerts', () => {
  it('are deleted after 30 days, unless they are still to be sent', async () => {
    const { pruner } = scene.instance();
    const alert = await insertRow(scene.pool, 'job_alerts', {
      id: crypto.randomUUID(),
      job_id: await insertJob(scene.pool),
      channel: 'WEBHOOK',
      target: 'http://receiver.test/',
      events: '{FAILED}',
      created_at: START,
      updated_at: START,
    });
    for (const facts of [{ status: 'DELIVERED', delivered_at: START }, { status: 'FAILED' }, {}]) {
      await insertRow(scene.pool, 'job_alert_deliveries', {
        id: crypto.randomUUID(),
        alert_id: alert['id'],
        event: 'FAILED',
        created_at: START,
        due_at: START,
        available_at: START,
        ...facts,
      });
    }
    scene.clock.set(plus(START, 30 * DAY_MS));
    await pruner.runOnce();
    expect(await count(scene.pool, 'job_alert_deliveries')).toBe(3);
    scene.clock.advance(1);
    await pruner.runOnce();
    expect(await count(scene.pool, `job_alert_deliveries WHERE status = 'PENDING'`)).toBe(1);
    expect(await count(scene.pool, 'job_alert_deliveries')).toBe(1);
  });
});

describe('events', () => {
  it('are deleted after 3 days, and the floor of the log moves with them', async () => {
    const { pruner } = scene.instance();
    await appendTestEvents(scene.pool, 3, START);
    await appendTestEvents(scene.pool, 2, plus(START, 1_000));
    const all = await readEvents(scene.pool, 0n, 10);
    scene.clock.set(plus(START, 3 * DAY_MS + 1));
    await pruner.runOnce();
    expect(await readEvents(scene.pool, 0n, 10)).toEqual(all.slice(3));
    expect(await readEventLogState(scene.pool)).toMatchObject({
      prunedThrough: all[2]?.position,
      tip: all[4]?.position,
    });
  });

  it('may all be deleted: the log then ends at its floor', async () => {
    const { pruner } = scene.instance();
    await appendTestEvents(scene.pool, 3, START);
    const { tip } = await readEventLogState(scene.pool);
    scene.clock.advance(4 * DAY_MS);
    await pruner.runOnce();
    expect(await readEventLogState(scene.pool)).toMatchObject({ prunedThrough: tip, tip });
    await pruner.runOnce();
    expect(await readEventLogState(scene.pool)).toMatchObject({ prunedThrough: tip, tip });
  });
});

describe('counts of ends', () => {
  const HOUR_MS = 3_600_000;
  const jobId = '01b8fb9a-3e80-7000-8000-000000000001';

  /** A bucket of the finest length that starts this long after the start. */
  async function countOne(ms: number): Promise<void> {
    const row = { job_id: jobId, bucket_minutes: 5, bucket_at: plus(START, ms), success_count: 1 };
    await insertRow(scene.pool, 'job_execution_rollups', row);
  }

  async function buckets(): Promise<unknown[]> {
    const { rows } = await scene.pool.query<{ minutes: number; count: number }>(
      `SELECT bucket_minutes AS minutes, success_count::int AS count FROM job_execution_rollups ORDER BY 1, bucket_at`,
    );
    return rows.map(({ minutes, count: ends }) => [minutes, ends]);
  }

  it('move into longer buckets as they get older, and are never deleted', async () => {
    const { pruner } = scene.instance();
    for (const ms of [0, 10 * 60_000, HOUR_MS, 23 * HOUR_MS]) await countOne(ms);
    const after = async (ms: number) => {
      scene.clock.set(plus(START, ms));
      await pruner.runOnce();
      return buckets();
    };
    expect(await after(3 * HOUR_MS - 1)).toEqual([
      [5, 1],
      [5, 1],
      [5, 1],
      [5, 1],
    ]);
    expect(await after(3 * HOUR_MS)).toEqual([
      [5, 1],
      [5, 1],
      [60, 2],
    ]);
    expect(await after(26 * HOUR_MS)).toEqual([
      [60, 2],
      [60, 1],
      [60, 1],
    ]);
    // START is at nine o'clock.
    expect(await after(15 * HOUR_MS + 2 * DAY_MS)).toEqual([
      [60, 1],
      [1440, 3],
    ]);
    expect(await after(4 * DAY_MS)).toEqual([
      [1440, 3],
      [1440, 1],
    ]);
    expect(await after(50 * DAY_MS)).toEqual([[10_080, 4]]);
    expect(await after(500 * DAY_MS)).toEqual([[131_040, 4]]);
    expect(await after(9_000 * DAY_MS)).toEqual([[131_040, 4]]);
  });

  it('that are recorded late are folded as well', async () => {
    const { pruner } = scene.instance();
    await countOne(0);
    scene.clock.advance(4 * HOUR_MS);
    await pruner.runOnce();
    await countOne(5 * 60_000);
    await pruner.runOnce();
    expect(await buckets()).toEqual([[60, 2]]);
  });

  it('that are being written are left for the next time, without waiting', async () => {
    const { pruner } = scene.instance();
    await countOne(0);
    await countOne(5 * 60_000);
    scene.clock.advance(4 * HOUR_MS);
    const writer = await scene.pool.connect();
    try {
      await writer.query('BEGIN');
      await writer.query('UPDATE job_execution_rollups SET success_count = 5 WHERE bucket_at = $1', [START]);
      await pruner.runOnce();
      expect(await buckets()).toEqual([
        [5, 1],
        [60, 1],
      ]);
      await writer.query('COMMIT');
    } finally {
      writer.release();
    }
    await pruner.runOnce();
    expect(await buckets()).toEqual([[60, 6]]);
  });

  it('are folded by several instances at once without loss', async () => {
    const instances = [scene.instance(), scene.instance(), scene.instance()];
    for (let n = 0; n < 60; n += 1) await countOne(n * 5 * 60_000);
    scene.clock.advance(2 * DAY_MS);
    await Promise.all(instances.map(({ pruner }) => pruner.runOnce()));
    expect(await buckets()).toEqual(Array.from({ length: 5 }, () => [60, 12]));
  });
});
