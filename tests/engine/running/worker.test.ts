import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../../src/domain/values/public-id.ts';
import { MASK } from '../../../src/domain/request/secrets.ts';
import { inTransaction } from '../../../src/store/statements/sql.ts';
import { CALLER, createJob, LEASE_MS, LONGEST_REST_MS, reference, trigger } from '../../support/instance.ts';
import type { TestInstance } from '../../support/instance.ts';
import { START, plus } from '../../support/manual-clock.ts';
import { watchTicks } from '../../support/rests.ts';
import {
  attemptsOf,
  count,
  endCountsOf,
  eventKindsOf,
  eventsOf,
  everythingOf,
  executionsOf,
  insertExecution,
  insertJob,
  logLinesOf,
  NO_ENDS,
  readExecution,
} from '../../support/rows.ts';
import type { Row } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { createGate } from '../../support/target-server.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
const SECOND_MS = 1_000;

describe('an execution that succeeds', () => {
  it('is called with its ids in the headers', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, {
      api: `${scene.target.url}/hook`,
      method: 'POST',
      body: { hello: 'world' },
      schedule: '* * * * * *',
    });
    const [execution] = await runOneSlot(instance, job.id);
    const id = encodePublicId('Execution', execution?.['id'] as string);
    expect(scene.target.calls).toMatchObject([
      {
        method: 'POST',
        path: '/hook',
        body: '{"hello":"world"}',
        headers: {
          'x-execution-id': id,
          'x-job-id': encodePublicId('Job', job.id),
          'x-attempt': '1',
          'x-scheduled-at': plus(START, SECOND_MS).toISOString(),
          'idempotency-key': id,
          'user-agent': 'job-scheduler/test',
        },
      },
    ]);
  });

  it('is recorded completely: row, attempt, log line, counters', async () => {
    const instance = scene.instance();
    scene.target.script('/hook', () => {
      scene.clock.advance(250);
      return { status: 201, headers: { 'x-answer': 'yes', 'set-cookie': 'session=1' }, body: 'created' };
    });
    const job = await createJob(instance, { api: `${scene.target.url}/hook`, schedule: '* * * * * *' });
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    scene.clock.advance(40);
    await instance.work();

    const startedAt = plus(START, SECOND_MS + 40);
    const finishedAt = plus(startedAt, 250);
    const [execution] = await executionsOf(scene.pool, job.id);
    expect(execution).toMatchObject({
      status: 'SUCCESS',
      started_at: startedAt,
      finished_at: finishedAt,
      duration_ms: 250,
      lateness_ms: 40,
      attempt_count: 1,
      retry_count: 0,
      claimed_by: instance.instanceId,
      lease_expires_at: null,
      response_status: 201,
      response_body: 'created',
      response_truncated: false,
      failure_reason: null,
      error_message: null,
    });
    const id = execution?.['id'] as string;
    const [attempt] = await attemptsOf(scene.pool, id);
    expect(attempt).toMatchObject({
      number: 1,
      started_at: plus(finishedAt, -Math.min(Number(attempt?.['duration_ms']), 250)),
      finished_at: finishedAt,
      response_status: 201,
      response_body: 'created',
      response_headers: { 'x-answer': 'yes', 'set-cookie': MASK },
      failure_reason: null,
      instance_id: instance.instanceId,
    });
    expect(attempt?.['timings']).toHaveProperty('totalMs');
    expect(Object.values(attempt?.['timings'] as object)).not.toContain(null);
    expect(await logLinesOf(scene.pool, id)).toMatchObject([
      { at: finishedAt, level: 'INFO', attempt: 1, message: 'The target answered with status 201.' },
    ]);
    expect(await endCountsOf(scene.pool, job.id)).toEqual({ ...NO_ENDS, success: 1, durationSumMs: 250 });
  });

  it('publishes its events in order: planned, started, succeeded', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { api: `${scene.target.url}/hook`, schedule: '* * * * * *' });
    await runOneSlot(instance, job.id);
    const [created, planned, started, succeeded] = await eventsOf(scene.pool, job.id);
    expect(created).toMatchObject({ kind: 'JOB_CREATED' });
    expect(planned).toMatchObject({ kind: 'EXECUTION_PLANNED', status: 'PENDING' });
    expect(started).toMatchObject({
      kind: 'EXECUTION_STARTED',
      status: 'RUNNING',
      previous_status: 'PENDING',
      attempt: 1,
      lateness_ms: 0,
      instance_id: instance.instanceId,
    });
    expect(succeeded).toMatchObject({
      kind: 'EXECUTION_SUCCEEDED',
      status: 'SUCCESS',
      previous_status: 'RUNNING',
      attempt: 1,
      response_status: 200,
      finished_at: scene.clock.now(),
    });
  });

  it('stores the request as it was sent, secrets masked', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, {
      api: `${scene.target.url}/hook?token=s3cret&page=2`,
      method: 'POST',
      headers: { Authorization: 'Bearer s3cret', 'X-Team': 'blue' },
      body: 'plain text',
    });
    const id = await trigger(instance, job);
    await instance.work();
    expect(scene.target.calls[0]).toMatchObject({ headers: { authorization: 'Bearer s3cret' } });
    const { request } = await readExecution(scene.pool, id);
    expect(request).toMatchObject({
      method: 'POST',
      url: `${scene.target.url}/hook?token=${MASK}&page=2`,
      body: 'plain text',
      headers: { authorization: MASK, 'x-team': 'blue', 'x-attempt': '1' },
    });
    expect(await logLinesOf(scene.pool, id)).toMatchObject([
      { metadata: { method: 'POST', url: `${scene.target.url}/hook?token=${MASK}&page=2` } },
    ]);
    expect(JSON.stringify(await everythingOf(scene.pool, id))).not.toContain('s3cret');
  });
});

describe('an execution whose call fails', () => {
  const policies = [
    { backoffStrategy: 'FIXED', delays: [1_000, 1_000] },
    { backoffStrategy: 'LINEAR', delays: [1_000, 2_000] },
    { backoffStrategy: 'EXPONENTIAL', delays: [1_000, 2_000] },
  ] as const;
  it.each(policies)('is retried $backoffStrategy until it succeeds', async ({ backoffStrategy, delays }) => {
    const instance = scene.instance();
    scene.target.script('/flaky', [503, 503, 200]);
    const job = await createJob(instance, {
      api: `${scene.target.url}/flaky`,
      schedule: '0 0 10 * * *',
      retryPolicy: { maxRetries: 3, backoffStrategy, initialDelayMs: 1_000 },
    });
    scene.clock.advance(3_600_000);
    await instance.planner.runOnce();
    await instance.work();
    for (const delay of delays) {
      const [waiting] = await executionsOf(scene.pool, job.id);
      expect(waiting).toMatchObject({
        status: 'RETRYING',
        available_at: plus(scene.clock.now(), delay),
        failure_reason: null,
        error_message: 'The target answered with status 503.',
        finished_at: null,
      });
      scene.clock.advance(delay - 1);
      await instance.work();
      expect(await executionsOf(scene.pool, job.id)).toEqual([waiting]);
      scene.clock.advance(1);
      await instance.work();
    }

    const [done] = await executionsOf(scene.pool, job.id);
    expect(done).toMatchObject({
      status: 'SUCCESS',
      attempt_count: 3,
      retry_count: 2,
      max_attempts: 4,
      error_message: null,
      started_at: plus(START, 3_600_000),
      lateness_ms: 0,
      duration_ms: delays[0] + delays[1],
    });
    const attempts = await attemptsOf(scene.pool, done?.['id'] as string);
    expect(attempts.map((attempt) => [attempt['number'], attempt['failure_reason']])).toEqual([
      [1, 'HTTP_STATUS'],
      [2, 'HTTP_STATUS'],
      [3, null],
    ]);
    expect((await eventKindsOf(scene.pool, job.id)).slice(1)).toEqual([
      'EXECUTION_PLANNED',
      'EXECUTION_STARTED',
      'EXECUTION_RETRY_SCHEDULED',
      'EXECUTION_STARTED',
      'EXECUTION_RETRY_SCHEDULED',
      'EXECUTION_STARTED',
      'EXECUTION_SUCCEEDED',
    ]);
    const calls = scene.target.callsTo('/flaky');
    expect(calls.map((call) => call.headers['x-attempt'])).toEqual(['1', '2', '3']);
    expect(new Set(calls.map((call) => call.headers['idempotency-key'])).size).toBe(1);
    expect(await endCountsOf(scene.pool, job.id)).toMatchObject({ success: 1, failed: 0, retries: 2 });
  });

  it('ends as FAILED with a dead letter when its retries are used up', async () => {
    const instance = scene.instance();
    scene.target.script('/down', { status: 500, body: 'no' });
    const job = await createJob(instance, {
      api: `${scene.target.url}/down`,
      retryPolicy: { maxRetries: 1, initialDelayMs: 1_000 },
    });
    const id = await trigger(instance, job);
    await instance.work();
    const failedAt = scene.clock.advance(SECOND_MS);
    await instance.work();

    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'FAILED',
      failure_reason: 'HTTP_STATUS',
      error_message: 'The target answered with status 500.',
      attempt_count: 2,
      retry_count: 1,
      finished_at: failedAt,
      response_status: 500,
      response_body: 'no',
    });
    expect(await deadLetterOf(id)).toMatchObject({
      job_id: job.id,
      failure_reason: 'HTTP_STATUS',
      error_message: 'The target answered with status 500.',
      failed_at: failedAt,
      redriven_at: null,
      discarded_at: null,
    });
    const events = await eventsOf(scene.pool, job.id);
    expect(events.at(-1)).toMatchObject({
      kind: 'EXECUTION_FAILED',
      failure_reason: 'HTTP_STATUS',
      response_status: 500,
    });
    expect((await logLinesOf(scene.pool, id)).map((line) => [line['level'], line['attempt']])).toEqual([
      ['WARN', 1],
      ['ERROR', 2],
    ]);
    expect(await endCountsOf(scene.pool, job.id)).toMatchObject({ failed: 1, retries: 1 });
  });

  it('fails at once when its status is not in the retry list', async () => {
    const instance = scene.instance();
    scene.target.script('/gone', 404);
    const job = await createJob(instance, {
      api: `${scene.target.url}/gone`,
      retryPolicy: { maxRetries: 5 },
    });
    const id = await trigger(instance, job);
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'FAILED', attempt_count: 1 });
    expect(await deadLetterOf(id)).toMatchObject({ failure_reason: 'HTTP_STATUS' });
  });

  it('is never retried when its job is ATMOST_ONCE, with any policy', async () => {
    const instance = scene.instance();
    scene.target.script('/once', 503);
    const job = await createJob(instance, {
      api: `${scene.target.url}/once`,
      type: 'ATMOST_ONCE',
      retryPolicy: { maxRetries: 5 },
    });
    const id = await trigger(instance, job);
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'FAILED', attempt_count: 1 });
    scene.clock.advance(3_600_000);
    await instance.work();
    expect(scene.target.calls).toHaveLength(1);
  });

  it('fails with CONNECTION when nothing listens at its address', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { api: 'http://127.0.0.1:9/' });
    const id = await trigger(instance, job);
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'FAILED',
      failure_reason: 'CONNECTION',
      response_status: null,
      response_body: null,
    });
  });
});

describe('claiming', () => {
  it('takes no more than there is room for, and more as soon as something ends', async () => {
    const instance = scene.instance({ maxConcurrency: 3 });
    const gate = scene.target.gate('/slow');
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/slow` });
    for (let n = 0; n < 5; n += 1) await insertExecution(scene.pool, job, 'PENDING');
    await instance.worker.runOnce();
    await instance.worker.runOnce();
    await scene.target.received('/slow', 3);
    expect(instance.worker.held()).toHaveLength(3);
    expect(await count(scene.pool, `job_executions WHERE status = 'RUNNING'`)).toBe(3);

    instance.worker.start();
    gate.open();
    await until(async () => (await count(scene.pool, `job_executions WHERE status = 'SUCCESS'`)) === 5);
    expect(scene.target.calls).toHaveLength(5);
  });

  it('takes the highest priority first, then the longest waiting', async () => {
    const instance = scene.instance({ maxConcurrency: 1 });
    const job = async (name: string) => insertJob(scene.pool, { api: `${scene.target.url}/${name}` });
    await insertExecution(scene.pool, await job('later'), 'PENDING', { at: START });
    await insertExecution(scene.pool, await job('urgent'), 'PENDING', { at: START, priority: 5 });
    await insertExecution(scene.pool, await job('sooner'), 'PENDING', { at: plus(START, -1) });
    await insertExecution(scene.pool, await job('minor'), 'PENDING', { at: plus(START, -9), priority: -1 });
    for (let n = 0; n < 4; n += 1) await instance.work();
    expect(scene.target.calls.map((call) => call.path)).toEqual(['/urgent', '/sooner', '/later', '/minor']);
  });

  it('takes catch-ups after all others, whatever their priority', async () => {
    const instance = scene.instance({ maxConcurrency: 1 });
    const job = async (name: string) => insertJob(scene.pool, { api: `${scene.target.url}/${name}` });
    const missed = (scheduledAt: Date) => ({
      at: scheduledAt,
      trigger: 'CATCH_UP',
      scheduled_at: scheduledAt,
    });
    await insertExecution(scene.pool, await job('second'), 'PENDING', missed(plus(START, -2)));
    await insertExecution(scene.pool, await job('first'), 'PENDING', missed(plus(START, -3)));
    await insertExecution(scene.pool, await job('on-time'), 'PENDING', { at: START });
    await insertExecution(scene.pool, await job('urgent'), 'PENDING', {
      ...missed(plus(START, -1)),
      priority: 1,
    });
    for (let n = 0; n < 4; n += 1) await instance.work();
    expect(scene.target.calls.map((call) => call.path)).toEqual(['/on-time', '/urgent', '/first', '/second']);
  });

  it('gives a quarter of its places to catch-ups, and the rest only to executions that are on time', async () => {
    const instance = scene.instance({ maxConcurrency: 8 });
    const gate = scene.target.gate('/missed');
    const missed = await insertJob(scene.pool, { api: `${scene.target.url}/missed` });
    for (let n = 1; n <= 5; n += 1) {
      await insertExecution(scene.pool, missed, 'PENDING', {
        trigger: 'CATCH_UP',
        scheduled_at: plus(START, -n),
      });
    }
    instance.worker.start();
    await scene.target.received('/missed', 2);
    const onTime = await insertJob(scene.pool, { api: `${scene.target.url}/on-time` });
    for (let n = 0; n < 10; n += 1) await insertExecution(scene.pool, onTime, 'PENDING');
    instance.worker.wake();
    await scene.target.received('/on-time', 10);
    expect(scene.target.callsTo('/missed')).toHaveLength(2);
    gate.open();
    await until(async () => (await count(scene.pool, `job_executions WHERE status = 'SUCCESS'`)) === 15);
  });

  it('ignores executions that are not available yet, blocked or finished', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/hook` });
    await insertExecution(scene.pool, job, 'PENDING', { at: plus(START, 1) });
    for (const status of ['BLOCKED', 'SUCCESS', 'FAILED', 'CANCELLED', 'SKIPPED', 'RUNNING'] as const) {
      await insertExecution(scene.pool, job, status);
    }
    await instance.work();
    expect(scene.target.calls).toEqual([]);
  });

  it('never gives one execution to two instances', async () => {
    const instances = [scene.instance({ maxConcurrency: 10 }), scene.instance({ maxConcurrency: 10 })];
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/hook` });
    await insertMany(job, 150);
    while ((await count(scene.pool, `job_executions WHERE status <> 'SUCCESS'`)) > 0) {
      await Promise.all(instances.map((instance) => instance.work()));
    }
    const ids = scene.target.calls.map((call) => call.headers['x-execution-id']);
    expect(ids).toHaveLength(150);
    expect(new Set(ids).size).toBe(150);
    expect(await count(scene.pool, 'all_execution_attempts')).toBe(150);
    expect(await count(scene.pool, `event_log WHERE kind = 'EXECUTION_STARTED'`)).toBe(150);
  });

  it('does not wait for rows that another transaction has locked', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/hook` });
    const locked = await insertExecution(scene.pool, job, 'PENDING', { priority: 9 });
    const free = await insertExecution(scene.pool, job, 'PENDING');
    await inTransaction(scene.pool, async (tx) => {
      await tx.query('SELECT FROM job_executions WHERE id = $1 FOR NO KEY UPDATE', [locked]);
      await instance.work();
      expect(await readExecution(scene.pool, free)).toMatchObject({ status: 'SUCCESS' });
    });
    expect(await readExecution(scene.pool, locked)).toMatchObject({ status: 'PENDING' });
  });

  it('counts the lateness of the slot only once: retries do not increase it', async () => {
    const instance = scene.instance();
    scene.target.script('/flaky', [503, 200]);
    const job = await createJob(instance, {
      api: `${scene.target.url}/flaky`,
      schedule: '* * * * * *',
      retryPolicy: { maxRetries: 1, initialDelayMs: 5_000 },
    });
    scene.clock.advance(SECOND_MS);
    await instance.planner.runOnce();
    scene.clock.advance(70);
    await instance.work();
    scene.clock.advance(5_000);
    await instance.work();
    expect(await executionsOf(scene.pool, job.id)).toMatchObject([{ status: 'SUCCESS', lateness_ms: 70 }]);
  });

  it('uses the state of the job at the time of the claim', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { api: `${scene.target.url}/old` });
    await trigger(instance, job);
    await instance.commands.updateJob(CALLER, { ...reference(job), api: `${scene.target.url}/new` });
    await instance.work();
    expect(scene.target.calls.map((call) => call.path)).toEqual(['/new']);
  });

  it('sends the body of a manual run instead of the job’s', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, {
      api: `${scene.target.url}/hook`,
      method: 'POST',
      body: { of: 'job' },
    });
    await instance.commands.triggerJob(CALLER, { ...reference(job), body: { of: 'run' } });
    await instance.commands.triggerJob(CALLER, { ...reference(job), body: null });
    await instance.work();
    expect(scene.target.calls.map((call) => call.body).toSorted()).toEqual(['', '{"of":"run"}']);
  });
});

describe('the wait between two claims', () => {
  it('lasts until the next execution is available', async () => {
    const { worker } = scene.instance();
    const job = await insertJob(scene.pool);
    await insertExecution(scene.pool, job, 'RETRYING', { available_at: plus(START, 2_345) });
    const { rests } = watchTicks();
    worker.start();
    await until(() => rests.length > 0);
    expect(rests).toEqual([2_345]);
  });

  it('lasts until the first of several is available, with any priorities and triggers', async () => {
    const { worker } = scene.instance();
    const job = await insertJob(scene.pool);
    const waits = async (ms: number, priority: number, trigger: string) =>
      insertExecution(scene.pool, job, 'RETRYING', {
        available_at: plus(START, ms),
        priority,
        trigger,
        scheduled_at: plus(START, -ms),
      });
    await waits(4_000, 5, 'SCHEDULE');
    await waits(3_000, 5, 'CATCH_UP');
    await waits(2_000, 0, 'SCHEDULE');
    await waits(1_000, -7, 'CATCH_UP');
    const { rests } = watchTicks();
    worker.start();
    await until(() => rests.length > 0);
    expect(rests).toEqual([1_000]);
  });

  it('never lasts longer than the poll interval', async () => {
    const { worker } = scene.instance();
    const { rests } = watchTicks();
    worker.start();
    await until(() => rests.length > 0);
    expect(rests).toEqual([LONGEST_REST_MS]);
  });
});

describe('a call that the scheduler ends', () => {
  it('leaves its execution CANCELLED when a cancellation was requested', async () => {
    const { instance, id } = await startHanging();
    await scene.pool.query('UPDATE job_executions SET cancel_requested_at = $1', [scene.clock.now()]);
    await instance.leaseKeeper.runOnce();
    await instance.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'CANCELLED',
      failure_reason: null,
      error_message: 'Cancelled while the call was under way.',
      finished_at: scene.clock.now(),
    });
    expect((await eventKindsOf(scene.pool)).at(-1)).toBe('EXECUTION_CANCELLED');
    expect(await count(scene.pool, 'failed_jobs_dlq')).toBe(0);
    expect(await attemptsOf(scene.pool, id)).toHaveLength(1);
    expect(await endCountsOf(scene.pool)).toEqual({ ...NO_ENDS, cancelled: 1 });
  });

  it('is cancelled, not retried, when it fails after a cancellation request', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/slow', 503);
    const job = await createJob(instance, {
      api: `${scene.target.url}/slow`,
      retryPolicy: { maxRetries: 5 },
    });
    const id = await trigger(instance, job);
    await instance.worker.runOnce();
    await scene.target.received('/slow');
    // Deleting requests the cancellation. The target answers before the lease keeper checks.
    await instance.commands.deleteJob(CALLER, reference(job));
    gate.open();
    await instance.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'CANCELLED', failure_reason: null });
    expect((await eventKindsOf(scene.pool)).at(-1)).toBe('EXECUTION_CANCELLED');
    expect(await endCountsOf(scene.pool, job.id)).toEqual({ ...NO_ENDS, cancelled: 1 });
    scene.clock.advance(3_600_000);
    await instance.work();
    expect(scene.target.calls).toHaveLength(1);
  });

  it('gives its execution back as PENDING at shutdown when it may be repeated', async () => {
    const { instance, id } = await startHanging();
    instance.worker.end(id, 'shutdown');
    await instance.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'PENDING',
      available_at: scene.clock.now(),
      attempt_count: 1,
      retry_count: 0,
      rescue_count: 0,
      lease_expires_at: null,
      finished_at: null,
    });
    expect((await eventKindsOf(scene.pool)).at(-1)).toBe('EXECUTION_INTERRUPTED');
    expect(await attemptsOf(scene.pool, id)).toHaveLength(1);

    scene.target.script('/slow', 200);
    await scene.instance().work();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS', attempt_count: 2 });
  });

  it('fails its execution with INSTANCE_LOST at shutdown when it may not be repeated', async () => {
    const { instance, id } = await startHanging({ type: 'ATMOST_ONCE' });
    instance.worker.end(id, 'shutdown');
    await instance.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'FAILED',
      failure_reason: 'INSTANCE_LOST',
    });
    expect(await deadLetterOf(id)).toMatchObject({ failure_reason: 'INSTANCE_LOST' });
  });

  it('ends when its claim is found to be lost, and writes nothing', async () => {
    const { instance, id } = await startHanging();
    scene.clock.advance(LEASE_MS + 1);
    await scene.instance().rescuer.runOnce();
    const before = await everythingOf(scene.pool, id);
    await instance.leaseKeeper.runOnce();
    await instance.worker.drained();
    expect(await everythingOf(scene.pool, id)).toEqual(before);
    await scene.target.allSocketsClosed();
  });

  it('ends also when the same instance has claimed its execution again', async () => {
    const { instance, id } = await startHanging();
    scene.clock.advance(LEASE_MS + 1);
    await scene.instance().rescuer.runOnce();
    scene.target.script('/slow', { status: 200, headers: { connection: 'close' } });
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS', attempt_count: 2 });
    await until(() => scene.target.openSockets() === 0, {
      what: 'the first call has hung up',
      timeoutMs: 2_000,
    });
  });
});

describe('a late outcome', () => {
  it('changes nothing once another instance has rescued the execution', async () => {
    const { instance, id, gate } = await startHanging();
    scene.clock.advance(LEASE_MS + 1);
    await scene.instance().rescuer.runOnce();
    const before = await everythingOf(scene.pool, id);
    gate.open();
    await instance.worker.drained();
    expect(await everythingOf(scene.pool, id)).toEqual(before);
    expect(before).toMatchObject({ execution: { status: 'PENDING', rescue_count: 1 } });
    expect(instance.errors).toEqual([]);
  });

  it('changes nothing once another instance runs the execution again', async () => {
    const { instance, id, gate } = await startHanging();
    scene.clock.advance(LEASE_MS + 1);
    const other = scene.instance();
    await other.rescuer.runOnce();
    scene.target.script('/slow', { status: 200, after: gate.opened });
    await other.worker.runOnce();
    await scene.target.received('/slow', 2);
    const before = await everythingOf(scene.pool, id);
    instance.worker.end(id, 'shutdown');
    await instance.worker.drained();
    expect(await everythingOf(scene.pool, id)).toEqual(before);
    expect(before).toMatchObject({ execution: { status: 'RUNNING', claimed_by: other.instanceId } });
    gate.open();
    await other.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS', attempt_count: 2 });
  });

  it('changes nothing once another instance has finished the execution', async () => {
    const { instance, id, gate } = await startHanging();
    scene.clock.advance(LEASE_MS + 1);
    const other = scene.instance();
    await other.rescuer.runOnce();
    scene.target.script('/slow', 200);
    await other.work();
    const before = await everythingOf(scene.pool, id);
    expect(before).toMatchObject({ execution: { status: 'SUCCESS' } });
    gate.open();
    await instance.worker.drained();
    expect(await everythingOf(scene.pool, id)).toEqual(before);
  });
});

describe('an answer that PostgreSQL cannot store unchanged', () => {
  it('is stored with U+FFFD instead of NUL bytes and broken characters', async () => {
    const instance = scene.instance();
    const body = Buffer.concat([Buffer.from('a\0b'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('c')]);
    scene.target.script('/odd', { status: 500, headers: { 'x-odd': 'caf\xe9' }, body });
    const job = await createJob(instance, { api: `${scene.target.url}/odd` });
    const id = await trigger(instance, job);
    await instance.work();
    const row = await readExecution(scene.pool, id);
    expect(row).toMatchObject({ status: 'FAILED', response_status: 500 });
    expect(row['response_body']).toMatch(/^a\uFFFDb\uFFFD+c$/);
  });

  it('is cut when its body is a megabyte, and the log states this', async () => {
    const instance = scene.instance();
    scene.target.script('/big', { status: 200, body: 'x'.repeat(2 ** 20) });
    const job = await createJob(instance, { api: `${scene.target.url}/big` });
    const id = await trigger(instance, job);
    await instance.work();
    const row = await readExecution(scene.pool, id);
    expect(row).toMatchObject({ status: 'SUCCESS', response_truncated: true });
    expect(row['response_body']).toBe('x'.repeat(5_000));
  });
});

async function runOneSlot(instance: TestInstance, jobId: string): Promise<Row[]> {
  scene.clock.advance(SECOND_MS);
  await instance.planner.runOnce();
  await instance.work();
  return executionsOf(scene.pool, jobId);
}

/** A manual run whose call has reached the target. The target answers when its gate opens. */
async function startHanging(input: Parameters<typeof createJob>[1] = {}) {
  const instance = scene.instance();
  const gate = createGate();
  scene.target.script('/slow', { status: 200, after: gate.opened });
  const job = await createJob(instance, { api: `${scene.target.url}/slow`, ...input });
  const id = await trigger(instance, job);
  await instance.worker.runOnce();
  await scene.target.received('/slow');
  return { instance, id, job, gate };
}

async function insertMany(jobId: string, executions: number): Promise<void> {
  await scene.pool.query(
    `INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at)
     SELECT gen_random_uuid(), $1, 'PENDING', 'MANUAL', $2, $2 FROM generate_series(1, $3::int)`,
    [jobId, START, executions],
  );
}

async function deadLetterOf(executionId: string): Promise<Row | undefined> {
  const { rows } = await scene.pool.query<Row>('SELECT * FROM failed_jobs_dlq WHERE execution_id = $1', [
    executionId,
  ]);
  return rows[0];
}
