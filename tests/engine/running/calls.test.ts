import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../../src/domain/values/public-id.ts';
import { settle, settlementRow } from '../../../src/store/executions/settling.ts';
import { EVENT_LOG_LOCK } from '../../../src/store/events/append-events.ts';
import { insertDependency } from '../../support/dependencies.ts';
import { claimFor } from '../../support/claims.ts';
import {
  CALLER,
  createJob,
  LEASE_MS,
  reference,
  valueOf,
  type TestInstance,
} from '../../support/instance.ts';
import { plus, START } from '../../support/manual-clock.ts';
import { uncalled } from '../../support/settlements.ts';
import {
  attemptsOf,
  count,
  eventsOf,
  executionsOf,
  insertExecution,
  insertJob,
  readExecution,
  RETRIES,
  type Row,
} from '../../support/rows.ts';
import { acceptAll, refuseChanges } from '../../support/refused-rows.ts';
import { useScene } from '../../support/scene.ts';
import type { Gate } from '../../support/target-server.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
const HOST_LIMIT = 2;
const QUICK = 8;
const HELD = 40;

/**
 * An instance for which a host has answered some calls and then hangs. The time window of those answers does not end
 * unless the test moves the clock.
 */
async function keptWaiting(
  clock = { ms: 0 },
  limits: { maxConcurrency?: number } = {},
  job: Row = {},
): Promise<{ instance: TestInstance; gate: Gate }> {
  const instance = scene.instance({
    ...limits,
    maxConcurrencyPerHost: HOST_LIMIT,
    monotonicMs: () => clock.ms,
  });
  const gate = scene.target.gate('/held');
  const { host } = new URL(scene.target.url);
  const quick = await insertJob(scene.pool, { api: `${scene.target.url}/quick` });
  const held = await insertJob(scene.pool, { ...job, api: `${scene.target.url}/held` });
  for (let n = 0; n < QUICK; n += 1)
    await insertExecution(scene.pool, quick, 'PENDING', { host, priority: 1 });
  for (let n = 0; n < HELD; n += 1) await insertExecution(scene.pool, held, 'PENDING', { host });
  instance.worker.start();
  await scene.target.received('/held', HOST_LIMIT);
  // The other held executions only wait for their record until then.
  await until(async () => (await countOf('SUCCESS')) === QUICK && instance.worker.held().length > HOST_LIMIT);
  await instance.worker.stop();
  await instance.settler.idle();
  return { instance, gate };
}

const countOf = (status: string) => count(scene.pool, `job_executions WHERE status = '${status}'`);

describe('a host that answers', () => {
  it('has executions claimed ahead, and at most its limit are called at once', async () => {
    const { instance, gate } = await keptWaiting();
    const held = instance.worker.held().length;
    expect(await countOf('RUNNING')).toBe(held);
    expect(scene.target.callsTo('/held')).toHaveLength(HOST_LIMIT);
    gate.open();
    await instance.worker.drained();
    expect(scene.target.callsTo('/held')).toHaveLength(held);
    expect(await countOf('RUNNING')).toBe(0);
    expect(await countOf('PENDING')).toBe(HELD - held);
  });
});

describe('a call', () => {
  it('is in flight until it ends', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/held');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/held` });
    await insertExecution(scene.pool, job, 'PENDING', { host: 'held.test' });
    expect(instance.worker.isInFlight()).toBe(false);
    await instance.worker.runOnce();
    expect(instance.worker.isInFlight()).toBe(true);
    gate.open();
    await instance.worker.drained();
    expect(instance.worker.isInFlight()).toBe(false);
  });
});

describe('a host that stops answering', () => {
  it('takes no places from others for its executions that were claimed ahead', async () => {
    const clock = { ms: 0 };
    const { instance, gate } = await keptWaiting(clock, { maxConcurrency: 10 });
    clock.ms = 10_000;
    const other = scene.target.gate('/other');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/other` });
    for (let n = 0; n < 3; n += 1) await insertExecution(scene.pool, job, 'PENDING', { host: 'other.test' });
    await instance.worker.runOnce();
    await scene.target.received('/other', HOST_LIMIT);
    expect(scene.target.callsTo('/other')).toHaveLength(HOST_LIMIT);
    gate.open();
    other.open();
    await instance.worker.drained();
  });
});

describe('an execution that was claimed ahead', () => {
  it('lets outcomes collect for it only while its host answers', async () => {
    const clock = { ms: 0 };
    const { instance, gate } = await keptWaiting(clock);
    expect(instance.worker.isPressed()).toBe(true);
    clock.ms = 1_000;
    expect(instance.worker.isPressed()).toBe(false);
    gate.open();
    await instance.worker.drained();
  });

  it('is not called after a cancellation request', async () => {
    const { instance, gate } = await keptWaiting();
    const called = scene.target.callsTo('/held').map(({ headers }) => headers['x-execution-id']);
    const waiting = instance.worker.held().slice(HOST_LIMIT);
    // Any end of a started run satisfies this edge.
    const { job_id } = await readExecution(scene.pool, waiting[0]?.executionId ?? '');
    const behind = await insertJob(scene.pool, { schedule: null });
    await insertDependency(scene.pool, behind, String(job_id), 'ON_COMPLETION');
    for (const { executionId } of waiting) {
      await scene.pool.query('UPDATE job_executions SET cancel_requested_at = $2 WHERE id = $1', [
        executionId,
        scene.clock.now(),
      ]);
      instance.worker.end(executionId, 'cancelled');
    }
    await until(() => instance.worker.held().length === HOST_LIMIT);
    for (const { executionId } of waiting)
      expect(await readExecution(scene.pool, executionId)).toMatchObject({
        status: 'CANCELLED',
        started_at: null,
        duration_ms: null,
        attempt_count: 0,
        error_message: expect.stringMatching(/^Cancelled before its call was made\./) as string,
      });
    expect(await executionsOf(scene.pool, behind)).toEqual([]);
    gate.open();
    await instance.worker.drained();
    expect(scene.target.callsTo('/held').map(({ headers }) => headers['x-execution-id'])).toEqual(called);
  });
});

/** Runs the check of waiting executions that the engine does each second. */
async function lookAfter(instance: TestInstance, clock: { ms: number }, ms: number): Promise<void> {
  clock.ms += ms;
  instance.worker.giveBackStuck();
  await instance.settler.idle();
}

describe('an execution that waits for a place at a host that has started to hang', () => {
  it('returns to its state before the claim, is called by an instance with places, and not claimed again by one without', async () => {
    const clock = { ms: 0 };
    const { instance, gate } = await keptWaiting(clock);
    const waiting = instance.worker.held().slice(HOST_LIMIT);
    const id = waiting[0]?.executionId ?? '';
    await scene.pool.query('UPDATE job_executions SET lateness_ms = 5 WHERE id = $1', [id]);
    const { claim_seq, claimed_by, ...before } = await readExecution(scene.pool, id);
    expect(before).toMatchObject({ status: 'RUNNING', attempt_count: 1 });
    await lookAfter(instance, clock, 999);
    await lookAfter(instance, clock, 1);
    expect(instance.worker.held().slice(HOST_LIMIT)).toEqual(waiting);

    await lookAfter(instance, clock, 1_000);
    expect(instance.worker.held()).toHaveLength(HOST_LIMIT);
    await instance.worker.runOnce();
    expect(instance.worker.held()).toHaveLength(HOST_LIMIT);
    expect(await readExecution(scene.pool, id)).toEqual({
      ...before,
      status: 'PENDING',
      claim_seq,
      claimed_by,
      attempt_count: 0,
      started_at: null,
      lateness_ms: null,
      lease_expires_at: null,
    });
    expect(await attemptsOf(scene.pool, id)).toEqual([]);

    const other = scene.instance();
    await other.worker.runOnce();
    await scene.target.received('/held', HELD);
    gate.open();
    await Promise.all([instance.worker.drained(), other.worker.drained()]);
    expect(await countOf('SUCCESS')).toBe(QUICK + HELD);
    expect(scene.target.callsTo('/held')).toHaveLength(HELD);
    expect(new Set(scene.target.callsTo('/held').map(({ headers }) => headers['x-attempt']))).toEqual(
      new Set(['1']),
    );
    const moves = (await eventsOf(scene.pool, String(before['job_id'])))
      .filter((event) => event['execution_id'] === id)
      .map(({ kind, attempt }) => [kind, attempt]);
    expect(moves).toEqual([
      ['EXECUTION_STARTED', 1],
      ['EXECUTION_INTERRUPTED', null],
      ['EXECUTION_STARTED', 1],
      ['EXECUTION_SUCCEEDED', 1],
    ]);
  });

  it('keeps the result of the attempt before, and is not an attempt itself', async () => {
    const { instance, gate } = await keptWaiting();
    const id = instance.worker.held().at(-1)?.executionId ?? '';
    await scene.pool.query(
      `UPDATE job_executions SET attempt_count = 2, retry_count = 1, response_status = 503, response_body = 'no',
         error_message = 'It failed.' WHERE id = $1`,
      [id],
    );
    const { started_at } = await readExecution(scene.pool, id);
    instance.worker.giveBackWaiting();
    await instance.settler.idle();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'PENDING',
      attempt_count: 1,
      retry_count: 1,
      started_at,
      response_status: 503,
      response_body: 'no',
      error_message: 'It failed.',
    });
    gate.open();
    await instance.worker.drained();
  });

  it('stays claimed within the part of its queue that is moving', async () => {
    const clock = { ms: 0 };
    const { instance, gate } = await keptWaiting(clock);
    const held = instance.worker.held().length;
    await lookAfter(instance, clock, 1_000);
    const next = scene.target.gate('/held');
    gate.open();
    // As many move up as calls ended. Twice as many more get time until the next check.
    await until(() => instance.worker.held().length === held - HOST_LIMIT);
    await scene.target.received('/held', 2 * HOST_LIMIT);
    await lookAfter(instance, clock, 1_000);
    expect(instance.worker.held()).toHaveLength(HOST_LIMIT + 2 * HOST_LIMIT);
    next.open();
    await instance.worker.drained();
  });
});

describe('a claim whose lease cannot be extended', () => {
  it('is not called by this instance after its lease has ended, and is given back', async () => {
    const clock = { ms: 0 };
    const { instance, gate } = await keptWaiting(clock, {}, { type: 'ATMOST_ONCE' });
    const waiting = instance.worker.held().slice(HOST_LIMIT);
    clock.ms = LEASE_MS;
    gate.open();
    await instance.worker.drained();
    expect(scene.target.callsTo('/held')).toHaveLength(HOST_LIMIT);
    for (const { executionId } of waiting)
      expect(await readExecution(scene.pool, executionId)).toMatchObject({
        status: 'PENDING',
        attempt_count: 0,
      });
    expect(await countOf('SUCCESS')).toBe(QUICK + HOST_LIMIT);
  });

  it('has its call ended with its lease, and is given back if it waits for a place', async () => {
    const clock = { ms: 0 };
    const { instance } = await keptWaiting(clock);
    const held = instance.worker.held().length;
    expect(instance.worker.endOverdue()).toBe(1_000);
    clock.ms = LEASE_MS - 300;
    expect(instance.worker.endOverdue()).toBe(300);
    expect(instance.worker.held()).toHaveLength(held);
    clock.ms = LEASE_MS;
    instance.worker.endOverdue();
    await scene.target.allSocketsClosed();
    await instance.worker.drained();
    expect(await countOf('PENDING')).toBe(HELD);
    expect(await count(scene.pool, `all_execution_attempts WHERE error_message LIKE '%its lease%'`)).toBe(
      HOST_LIMIT,
    );
  });

  it('continues as long as its lease is extended', async () => {
    const clock = { ms: 0 };
    const { instance, gate } = await keptWaiting(clock);
    const held = instance.worker.held().length;
    clock.ms = LEASE_MS - 1;
    await instance.leaseKeeper.runOnce();
    clock.ms = 2 * LEASE_MS - 2_000;
    instance.worker.endOverdue();
    gate.open();
    await instance.worker.drained();
    expect(scene.target.callsTo('/held')).toHaveLength(held);
  });

  it('is not called when its answer arrived too late', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/work`, type: 'ATMOST_ONCE' });
    const id = await insertExecution(scene.pool, job, 'PENDING');
    const claimed = await claimBy(instance);
    scene.clock.advance(LEASE_MS);
    instance.worker.take(claimed);
    await instance.worker.drained();
    expect(scene.target.calls).toEqual([]);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'PENDING', attempt_count: 0 });
  });
});

describe('an instance that cannot open a connection', () => {
  it('gives the execution back, which uses no attempt, and claims nothing for a second', async () => {
    const clock = { ms: 0 };
    const instance = scene.instance({ monotonicMs: () => clock.ms });
    const { sender } = instance;
    const { sendAttempt } = sender;
    sender.sendAttempt = async (request, options) => {
      sender.sendAttempt = sendAttempt;
      const sent = await sendAttempt({ ...request, url: 'http://127.0.0.1:9/' }, options);
      return { ...sent, outcome: { kind: 'instanceFault', message: 'No descriptors are left.' } };
    };
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/work`, type: 'ATMOST_ONCE' });
    const id = await insertExecution(scene.pool, job, 'PENDING');
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'PENDING',
      attempt_count: 0,
      retry_count: 0,
      failure_reason: null,
    });
    expect(await attemptsOf(scene.pool, id)).toEqual([]);
    expect(instance.worker.placesFor(['other.test'])).toEqual([false]);
    clock.ms = 999;
    await instance.work();
    expect(await countOf('PENDING')).toBe(1);
    clock.ms = 1_000;
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS', attempt_count: 1 });
  });
});

describe('an instance whose outcomes cannot be recorded', () => {
  it('claims nothing more once they are too many, and continues when they are recorded', async () => {
    const instance = scene.instance({ maxUnrecorded: 2 });
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/work` });
    const ids = [];
    for (let n = 0; n < 2; n += 1) ids.push(await insertExecution(scene.pool, job, 'PENDING'));
    await instance.worker.runOnce();
    await refuseChanges(scene.pool, ids, 'P0001');
    await scene.target.received('/work', 2);
    await until(() => !instance.worker.held().some(instance.worker.isCalling));
    await insertExecution(scene.pool, job, 'PENDING');
    await instance.worker.runOnce();
    expect(instance.worker.held()).toHaveLength(2);
    expect(await countOf('PENDING')).toBe(1);
    await acceptAll(scene.pool);
    await instance.worker.drained();
    await instance.work();
    expect(await countOf('SUCCESS')).toBe(3);
  });
});

describe('a host whose calls take long', () => {
  it('has nothing claimed ahead, even when several of its calls end at the same moment', async () => {
    const clock = { ms: 0 };
    const instance = scene.instance({ maxConcurrencyPerHost: HOST_LIMIT, monotonicMs: () => clock.ms });
    const gate = scene.target.gate('/held');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/held` });
    const { host } = new URL(scene.target.url);
    for (let n = 0; n < 3 * HOST_LIMIT; n += 1) await insertExecution(scene.pool, job, 'PENDING', { host });
    await instance.worker.runOnce();
    await scene.target.received('/held', HOST_LIMIT);
    clock.ms = 1_000;
    gate.open();
    await instance.worker.drained();
    scene.target.gate('/held');
    await instance.worker.runOnce();
    expect(instance.worker.held()).toHaveLength(HOST_LIMIT);
  });
});

describe('a pause while an execution is claimed', () => {
  it('withdraws it when its claim ends without a call, and does not affect a running call', async () => {
    const { instance, gate } = await keptWaiting({ ms: 0 }, {}, { schedule: '* * * * * *' });
    const { rows } = await scene.pool.query<{ id: string }>(
      `UPDATE job_executions SET trigger = 'SCHEDULE', scheduled_at = $1::timestamptz + row_number * interval '1 s'
       FROM (SELECT id, row_number() OVER () FROM job_executions WHERE status = 'RUNNING') AS held
       WHERE job_executions.id = held.id RETURNING job_id AS id`,
      [START],
    );
    const jobId = rows[0]?.id ?? '';
    const waiting = instance.worker.held().slice(HOST_LIMIT);
    valueOf(await instance.commands.pauseJob(CALLER, { id: encodePublicId('Job', jobId) }));
    valueOf(await instance.commands.resumeJob(CALLER, { id: encodePublicId('Job', jobId) }));
    instance.worker.giveBackWaiting();
    await instance.settler.idle();
    for (const { executionId } of waiting) {
      expect(await readExecution(scene.pool, executionId)).toMatchObject({
        status: 'CANCELLED',
        started_at: null,
        attempt_count: 0,
        cancel_reason: 'The job was paused.',
        error_message: 'Cancelled before its call was made. Reason: The job was paused.',
      });
    }
    gate.open();
    await instance.worker.drained();
    expect(await countOf('SUCCESS')).toBe(QUICK + HOST_LIMIT);
    expect(scene.target.callsTo('/held')).toHaveLength(HOST_LIMIT);
  });

  it('waits for the end of a claim that is being undone', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { schedule: '* * * * * *' });
    const id = await insertExecution(scene.pool, job.id, 'RUNNING', {
      trigger: 'SCHEDULE',
      scheduled_at: START,
      attempt_count: 1,
      claim_seq: 1,
    });
    const somebody = await scene.pool.connect();
    try {
      await somebody.query('BEGIN');
      await settle(somebody, [uncalled(id)].map(settlementRow));
      const pausing = instance.commands.pauseJob(CALLER, reference(job));
      await until(
        async () => (await count(scene.pool, `pg_stat_activity WHERE wait_event_type = 'Lock'`)) > 0,
      );
      await somebody.query('COMMIT');
      valueOf(await pausing);
    } finally {
      somebody.release();
    }
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'CANCELLED', started_at: null });
  });
});

describe('an instance that stops', () => {
  it('gives back at once claims that wait for a place, even those that may be called only once', async () => {
    const { instance, gate } = await keptWaiting({ ms: 0 }, {}, { type: 'ATMOST_ONCE' });
    expect(instance.worker.held().length).toBeGreaterThan(HOST_LIMIT);
    instance.worker.giveBackWaiting();
    await until(() => instance.worker.held().length === HOST_LIMIT);
    expect(await countOf('PENDING')).toBe(HELD - HOST_LIMIT);
    expect(await countOf('FAILED')).toBe(0);
    gate.open();
    await instance.worker.drained();
    expect(scene.target.callsTo('/held')).toHaveLength(HOST_LIMIT);
  });
});

describe('a call', () => {
  it('is held until its end is recorded, and is not running any more once it has ended', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/work');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/work` });
    await insertExecution(scene.pool, job, 'PENDING');
    await instance.worker.runOnce();
    const [claim = { executionId: '', claimSeq: 0 }] = instance.worker.held();
    expect(instance.worker.isCalling(claim)).toBe(true);
    expect(instance.worker.isCalling({ ...claim, claimSeq: claim.claimSeq - 1 })).toBe(false);
    const somebody = await scene.pool.connect();
    try {
      await somebody.query(`BEGIN; SELECT pg_advisory_xact_lock(${EVENT_LOG_LOCK})`);
      gate.open();
      await until(() => !instance.worker.isCalling(claim));
      expect(instance.worker.held()).toEqual([claim]);
    } finally {
      await somebody.query('ROLLBACK');
      somebody.release();
    }
    await instance.worker.drained();
    expect(instance.worker.isCalling(claim)).toBe(false);
  });
});

describe('an attempt', () => {
  it.each([200, 500])(
    'that waited for its place started when it was called, with status %i',
    async (status) => {
      const instance = scene.instance();
      const gate = scene.target.gate('/work', status);
      const job = await insertJob(scene.pool, { api: `${scene.target.url}/work`, ...RETRIES });
      const id = await insertExecution(scene.pool, job, 'PENDING');
      await instance.worker.runOnce();
      await scene.target.received('/work');
      const endedAt = scene.clock.advance(10_000);
      gate.open();
      await instance.worker.drained();
      const [attempt] = await attemptsOf(scene.pool, id);
      const { started_at, duration_ms } = attempt as { started_at: Date; duration_ms: number };
      expect(attempt).toMatchObject({ finished_at: endedAt });
      expect(started_at).toEqual(plus(endedAt, -duration_ms));
      expect(await readExecution(scene.pool, id)).toMatchObject({ started_at: START });
    },
  );
});

describe('a claim that arrives after a later one of its execution', () => {
  it('is ignored: the call of the later one continues, and no other is made', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/held');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/held` });
    const id = await insertExecution(scene.pool, job, 'PENDING');
    const early = await claimBy(instance);
    await scene.pool.query(
      `UPDATE job_executions SET status = 'PENDING', lease_expires_at = NULL WHERE id = $1`,
      [id],
    );
    await instance.worker.runOnce();
    await scene.target.received('/held');
    instance.worker.take(early);
    expect(instance.worker.held()).toEqual([{ executionId: id, claimSeq: 2 }]);
    gate.open();
    await instance.worker.drained();
    expect(scene.target.calls).toHaveLength(1);
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS', claim_seq: 2 });
  });
});

/** Claims due executions for an instance without its knowledge. */
function claimBy({ instanceId }: TestInstance): ReturnType<typeof claimFor> {
  return claimFor(scene.pool, instanceId, START);
}
