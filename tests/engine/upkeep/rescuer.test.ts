import { describe, expect, it, vi } from 'vitest';
import { inTransaction } from '../../../src/store/statements/sql.ts';
import { createJob, HEARTBEAT_INTERVAL_MS, LEASE_MS, trigger } from '../../support/instance.ts';
import { START, plus } from '../../support/manual-clock.ts';
import { watchTicks } from '../../support/rests.ts';
import {
  attemptsOf,
  count,
  eventsOf,
  everythingOf,
  insertExecution,
  insertJob,
  readExecution,
} from '../../support/rows.ts';
import { acceptAll, refuseChanges } from '../../support/refused-rows.ts';
import { useScene } from '../../support/scene.ts';
import { startSilentProxy } from '../../support/silent-proxy.ts';
import { until } from '../../support/until.ts';

const scene = useScene();

describe('an execution whose lease has ended', () => {
  it('is PENDING again, and its lost attempt is recorded', async () => {
    const { rescuer, wakeUps } = scene.instance();
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, 'RUNNING');
    const now = scene.clock.advance(LEASE_MS + 1);
    await rescuer.runOnce();

    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'PENDING',
      available_at: now,
      lease_expires_at: null,
      rescue_count: 1,
      retry_count: 0,
      finished_at: null,
      failure_reason: null,
    });
    expect(await attemptsOf(scene.pool, id)).toMatchObject([
      {
        number: 1,
        failure_reason: 'INSTANCE_LOST',
        instance_id: 'another-instance',
        started_at: START,
        finished_at: now,
        duration_ms: LEASE_MS + 1,
      },
    ]);
    expect(await eventsOf(scene.pool, job)).toMatchObject([
      {
        kind: 'EXECUTION_INTERRUPTED',
        status: 'PENDING',
        previous_status: 'RUNNING',
        failure_reason: 'INSTANCE_LOST',
        instance_id: 'another-instance',
      },
    ]);
    expect(wakeUps.woken).toEqual(['executions', 'events']);
  });

  it('marks its holder as lost until the holder sends a heartbeat', async () => {
    const [holder, other] = [scene.instance(), scene.instance()];
    await holder.heartbeat.enter();
    await other.heartbeat.enter();
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, 'RUNNING', { claimed_by: holder.instanceId });
    await insertExecution(scene.pool, job, 'RUNNING', { claimed_by: other.instanceId });
    const now = scene.clock.advance(LEASE_MS + 1);
    const lostAt = async () => {
      const { rows } = await scene.pool.query<{ id: string; lostAt: Date | null }>(
        'SELECT instance_id AS id, lost_at AS "lostAt" FROM scheduler_metadata',
      );
      return new Map(rows.map((row) => [row.id, row.lostAt]));
    };
    await other.rescuer.runOnce();
    expect(await lostAt()).toEqual(
      new Map([
        [holder.instanceId, now],
        [other.instanceId, null],
      ]),
    );
    expect(await count(scene.pool, `event_log WHERE kind = 'INSTANCE_LOST'`)).toBe(1);
    await holder.heartbeat.runOnce();
    expect((await lostAt()).get(holder.instanceId)).toBeNull();
  });

  it('keeps the request that an earlier attempt sent', async () => {
    const { rescuer } = scene.instance();
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, 'RUNNING', { request: { method: 'GET' } });
    scene.clock.advance(LEASE_MS + 1);
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ request: { method: 'GET' } });
  });

  it('fails when its job is ATMOST_ONCE: the target may have received the call', async () => {
    const { rescuer } = scene.instance();
    const job = await insertJob(scene.pool, { type: 'ATMOST_ONCE' });
    const id = await insertExecution(scene.pool, job, 'RUNNING');
    scene.clock.advance(LEASE_MS + 1);
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'FAILED',
      failure_reason: 'INSTANCE_LOST',
      finished_at: scene.clock.now(),
    });
    expect(await count(scene.pool, 'failed_jobs_dlq WHERE execution_id = $1', [id])).toBe(1);
  });

  it('is CANCELLED when the cancellation was requested while it ran', async () => {
    const { rescuer } = scene.instance();
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, 'RUNNING', { cancel_requested_at: START });
    scene.clock.advance(LEASE_MS + 1);
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'CANCELLED', failure_reason: null });
  });

  it('is recorded after an outage of any length', async () => {
    const { rescuer } = scene.instance();
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, 'RUNNING');
    scene.clock.advance(60 * 24 * 3_600_000);
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'PENDING' });
    expect(await attemptsOf(scene.pool, id)).toMatchObject([{ duration_ms: 2 ** 31 - 1 }]);
  });

  it('is rescued up to the third death of its instance, which sets it to FAILED', async () => {
    const [{ worker }, { rescuer }] = [scene.instance(), scene.instance()];
    scene.target.script('/slow', 'hang');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/slow` });
    const id = await insertExecution(scene.pool, job, 'PENDING');
    const statuses: unknown[] = [];
    for (let death = 1; death <= 3; death += 1) {
      await worker.runOnce();
      await scene.target.received('/slow', death);
      scene.clock.advance(LEASE_MS + 1);
      await rescuer.runOnce();
      statuses.push((await readExecution(scene.pool, id))['status']);
    }
    expect(statuses).toEqual(['PENDING', 'PENDING', 'FAILED']);
    expect(await readExecution(scene.pool, id)).toMatchObject({
      failure_reason: 'INSTANCE_LOST',
      rescue_count: 3,
      retry_count: 0,
    });
    const attempts = await attemptsOf(scene.pool, id);
    expect(attempts.map((attempt) => attempt['number'])).toEqual([1, 2, 3]);
    expect(attempts.every((attempt) => attempt['failure_reason'] === 'INSTANCE_LOST')).toBe(true);
  });

  it('has all of its retries left after a rescue', async () => {
    const [instance, other] = [scene.instance(), scene.instance()];
    scene.target.script('/flaky', ['hang', 503, 503, 200]);
    const job = await createJob(instance, {
      api: `${scene.target.url}/flaky`,
      retryPolicy: { maxRetries: 2, backoffStrategy: 'FIXED', initialDelayMs: 1_000 },
    });
    const id = await trigger(instance, job);
    await instance.worker.runOnce();
    await scene.target.received('/flaky');
    scene.clock.advance(LEASE_MS + 1);
    await other.rescuer.runOnce();
    for (let attempt = 2; attempt <= 4; attempt += 1) {
      await instance.work();
      scene.clock.advance(1_000);
    }
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'SUCCESS',
      attempt_count: 4,
      max_attempts: 4,
      retry_count: 2,
      rescue_count: 1,
    });
    expect((await attemptsOf(scene.pool, id)).map((attempt) => attempt['number'])).toEqual([1, 2, 3, 4]);
  });
});

describe('after the database was away for longer than a lease', () => {
  it('live instances have four seconds to record their outcomes, before rescuers start the calls again', async () => {
    const proxy = await startSilentProxy(scene.connectionString);
    let nowMs = 0;
    const away = scene.instance({ connectionString: proxy.connectionString, answerTimeoutMs: 500 });
    const rescuing = scene.instance({ monotonicMs: () => nowMs });
    const gate = scene.target.gate('/slow');
    const job = await slowJob();
    const [recorded, dead] = [
      await insertExecution(scene.pool, job, 'PENDING'),
      await insertExecution(scene.pool, job, 'RUNNING'),
    ];
    await rescuing.rescuer.runOnce();
    await away.worker.runOnce();
    await scene.target.received('/slow');
    proxy.silenceAll();
    gate.open();
    scene.clock.advance(LEASE_MS + 1);

    nowMs += LEASE_MS + 1;
    await rescuing.rescuer.runOnce();
    proxy.restore();
    await away.worker.drained();
    nowMs += 3_999;
    await rescuing.rescuer.runOnce();
    expect(await readExecution(scene.pool, recorded)).toMatchObject({ status: 'SUCCESS' });
    expect(await readExecution(scene.pool, dead)).toMatchObject({ status: 'RUNNING' });
    nowMs += 1;
    await rescuing.rescuer.runOnce();
    expect(await readExecution(scene.pool, dead)).toMatchObject({ status: 'PENDING' });
    await away.close();
    await proxy.close();
  });

  it('an outage that has ended no lease delays no rescue', async () => {
    let nowMs = 0;
    const { rescuer } = scene.instance({ monotonicMs: () => nowMs });
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'RUNNING');
    await rescuer.runOnce();
    nowMs += (LEASE_MS * 2) / 3 - 1;
    scene.clock.advance(LEASE_MS + 1);
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'PENDING' });
  });
});

describe('after the database’s clock was set forward', () => {
  it('live instances have until their next heartbeat, and four seconds, before their calls are made again', async () => {
    const { rescuer } = scene.instance();
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'RUNNING');
    await rescuer.runOnce();
    scene.clock.setForward(10 * LEASE_MS);
    await rescuer.runOnce();
    scene.clock.advance(HEARTBEAT_INTERVAL_MS + 3_999);
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'RUNNING' });
    scene.clock.advance(1);
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'PENDING' });
  });
});

describe('a rescuer that gets lease ends from other loops', () => {
  const HEARD_FOR_MS = LEASE_MS / 2;

  it('treats them as a sign that the database was there', async () => {
    let nowMs = 0;
    const { rescuer } = scene.instance({ monotonicMs: () => nowMs });
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'RUNNING');
    await rescuer.runOnce();
    for (let heard = 0; heard < 3; heard += 1) {
      nowMs += HEARD_FOR_MS;
      rescuer.hear(plus(START, LEASE_MS));
    }
    scene.clock.advance(LEASE_MS + 1);
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'PENDING' });
  });

  it('grants live instances their time after a long period without them', async () => {
    let nowMs = 0;
    const { rescuer } = scene.instance({ monotonicMs: () => nowMs });
    const id = await insertExecution(scene.pool, await insertJob(scene.pool), 'RUNNING');
    rescuer.hear(plus(START, LEASE_MS));
    nowMs += (LEASE_MS * 2) / 3;
    rescuer.hear(plus(START, LEASE_MS));
    scene.clock.advance(LEASE_MS + 1);
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'RUNNING' });
  });

  it.each([
    { what: 'no lease', endsAt: null, restMs: LEASE_MS / 2 },
    { what: 'a lease that ends soon', endsAt: plus(START, 1_200), restMs: 1_201 },
  ])('waits as after its own check when it got $what', async ({ endsAt, restMs }) => {
    const { rescuer, pool } = scene.instance();
    const asked = vi.spyOn(pool, 'query');
    const { rests } = watchTicks();
    rescuer.hear(endsAt);
    rescuer.start();
    await until(() => rests.length > 0);
    expect(rests[0]).toBe(restMs);
    expect(asked).not.toHaveBeenCalled();
    await rescuer.stop();
  });

  it.each([
    { what: 'lately', passedMs: HEARD_FOR_MS, endsAt: null, asks: 0 },
    {
      what: 'so long ago that a lease may have been taken and be about to end',
      passedMs: HEARD_FOR_MS + 1,
      endsAt: null,
      asks: 1,
    },
    { what: 'of one that is over, or was extended since', passedMs: 0, endsAt: plus(START, -1), asks: 1 },
  ])('sends $asks queries itself when it got $what', async ({ passedMs, endsAt, asks }) => {
    let nowMs = 0;
    const { rescuer, pool } = scene.instance({ monotonicMs: () => nowMs });
    const asked = vi.spyOn(pool, 'query');
    rescuer.hear(endsAt);
    nowMs += passedMs;
    await rescuer.runOnce();
    expect(asked).toHaveBeenCalledTimes(asks);
  });
});

describe('rescuers', () => {
  it('ignore executions whose lease has not ended, to the millisecond', async () => {
    const { rescuer } = scene.instance();
    const job = await insertJob(scene.pool);
    const id = await insertExecution(scene.pool, job, 'RUNNING');
    const before = await everythingOf(scene.pool, id);
    scene.clock.advance(LEASE_MS);
    await rescuer.runOnce();
    expect(await everythingOf(scene.pool, id)).toEqual(before);
  });

  it('decide once when two of them check at once', async () => {
    const instances = [scene.instance(), scene.instance()];
    const job = await insertJob(scene.pool);
    for (let n = 0; n < 60; n += 1) await insertExecution(scene.pool, job, 'RUNNING');
    scene.clock.advance(LEASE_MS + 1);
    await Promise.all(instances.map(({ rescuer }) => rescuer.runOnce()));
    expect(await count(scene.pool, `job_executions WHERE status = 'PENDING' AND rescue_count = 1`)).toBe(60);
    expect(await count(scene.pool, 'all_execution_attempts')).toBe(60);
    expect(await count(scene.pool, 'event_log')).toBe(60);
  });

  it('ignore executions that their own instance holds: the outcome follows', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/slow');
    const id = await insertExecution(scene.pool, await slowJob(), 'PENDING');
    await instance.worker.runOnce();
    await scene.target.received('/slow');
    scene.clock.advance(LEASE_MS + 1);
    await instance.rescuer.runOnce();
    gate.open();
    await instance.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS', rescue_count: 0 });
  });

  it('wait for no locked row', async () => {
    const { rescuer } = scene.instance();
    const job = await insertJob(scene.pool);
    const [locked, free] = [
      await insertExecution(scene.pool, job, 'RUNNING'),
      await insertExecution(scene.pool, job, 'RUNNING'),
    ];
    scene.clock.advance(LEASE_MS + 1);
    await inTransaction(scene.pool, async (tx) => {
      await tx.query('SELECT FROM job_executions WHERE id = $1 FOR UPDATE', [locked]);
      await rescuer.runOnce();
    });
    expect(await readExecution(scene.pool, free)).toMatchObject({ status: 'PENDING' });
    expect(await readExecution(scene.pool, locked)).toMatchObject({ status: 'RUNNING' });
    await rescuer.runOnce();
    expect(await readExecution(scene.pool, locked)).toMatchObject({ status: 'PENDING' });
  });

  it.each(['23514', 'P0001'])(
    'rescue all others when the database rejects one, with %s, and retry that one later',
    async (sqlstate) => {
      let nowMs = 0;
      const { rescuer } = scene.instance({ monotonicMs: () => nowMs });
      const job = await insertJob(scene.pool);
      const ids: string[] = [];
      for (let n = 0; n < 4; n += 1) ids.push(await insertExecution(scene.pool, job, 'RUNNING'));
      const [, poison = ''] = ids;
      await refuseChanges(scene.pool, [poison], sqlstate);
      scene.clock.advance(LEASE_MS + 1);
      await rescuer.runOnce();
      const rescued = `job_executions WHERE status = 'PENDING' AND rescue_count = 1`;
      expect(await count(scene.pool, rescued)).toBe(3);

      await acceptAll(scene.pool);
      nowMs += 9_999;
      await rescuer.runOnce();
      expect(await count(scene.pool, rescued)).toBe(3);
      nowMs += 1;
      await rescuer.runOnce();
      expect(await count(scene.pool, rescued)).toBe(4);
    },
  );

  it('check again when the next lease ends', async () => {
    const { rescuer } = scene.instance();
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, 'RUNNING', { lease_expires_at: plus(START, 1_200) });
    const { rests } = watchTicks();
    rescuer.start();
    await until(() => rests.length > 0);
    expect(rests[0]).toBe(1_201);
  });
});

function slowJob(): Promise<string> {
  return insertJob(scene.pool, { api: `${scene.target.url}/slow` });
}
