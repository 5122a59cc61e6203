import { describe, expect, it, onTestFinished } from 'vitest';
import type { CreateJobInput } from '../../src/commands/jobs/create-job.ts';
import { signCallbackToken } from '../../src/domain/execution/callback-token.ts';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { createFeeds } from '../../src/events/feeds.ts';
import { createEventHub } from '../../src/events/hub.ts';
import { inTransaction } from '../../src/store/statements/sql.ts';
import { callBack, callbackUrlOf } from '../support/callbacks.ts';
import { insertDependency, triggersOf } from '../support/dependencies.ts';
import {
  CALLBACK_SECRET,
  CALLER,
  createJob,
  LEASE_MS,
  reference,
  trigger,
  type TestInstance,
  valueOf,
} from '../support/instance.ts';
import { plus } from '../support/manual-clock.ts';
import {
  attemptsOf,
  count,
  eventKindsOf,
  eventsOf,
  everythingOf,
  executionsOf,
  logLinesOf,
  readExecution,
  type Row,
} from '../support/rows.ts';
import { watchTicks } from '../support/rests.ts';
import { acceptAll, refuseChanges } from '../support/refused-rows.ts';
import { useScene } from '../support/scene.ts';
import type { RecordedCall } from '../support/target-server.ts';
import { until } from '../support/until.ts';

const scene = useScene();

const TIMEOUT_MS = 60_000;
const RETRIED = { maxRetries: 2, backoffStrategy: 'FIXED', initialDelayMs: 1_000 } as const;

/** A triggered execution of a job that a callback completes. */
async function triggerAwaited(
  instance: TestInstance,
  input: Partial<CreateJobInput> = {},
): Promise<{ id: string; jobId: string }> {
  const job = await createJob(instance, {
    api: `${scene.target.url}/work`,
    completion: 'CALLBACK',
    completionTimeoutMs: TIMEOUT_MS,
    ...input,
  });
  return { id: await trigger(instance, job), jobId: job.id };
}

/** The same, with the target's answer recorded: from here on the callback is awaited. */
async function beginAwaited(
  instance: TestInstance,
  input: Partial<CreateJobInput> = {},
): Promise<{ id: string; jobId: string; call: RecordedCall | undefined }> {
  scene.target.script('/work', { status: 202, body: 'accepted' });
  const execution = await triggerAwaited(instance, input);
  await instance.work();
  return { ...execution, call: scene.target.callsTo('/work').at(-1) };
}

async function logOf(id: string): Promise<unknown[]> {
  const { all_execution_logs: lines } = await everythingOf(scene.pool, id);
  return (lines as Row[]).map((line) => line['message']);
}

describe('an execution whose job is completed by a callback', () => {
  it('sends its callback URL to the target, and stays RUNNING at the 2xx', async () => {
    const instance = scene.instance();
    const { id, call } = await beginAwaited(instance);
    const deadlineAt = plus(scene.clock.now(), TIMEOUT_MS);

    const token = signCallbackToken({ executionId: id, attempt: 1, claimSeq: 1 }, CALLBACK_SECRET);
    expect(callbackUrlOf(call)).toBe(`http://scheduler.test/callbacks/${token}`);
    const row = await readExecution(scene.pool, id);
    expect(row).toMatchObject({
      status: 'RUNNING',
      lease_expires_at: deadlineAt,
      callback_deadline_at: deadlineAt,
      response_status: 202,
      response_body: 'accepted',
      finished_at: null,
    });
    expect(row['request']).toMatchObject({
      headers: { 'x-callback-url': 'http://scheduler.test/callbacks/***' },
    });
    expect(await logOf(id)).toEqual([
      `The target answered with status 202. Its callback is awaited until ${deadlineAt.toISOString()}.`,
    ]);
    expect(await logLinesOf(scene.pool, id)).toMatchObject([
      { metadata: { method: 'GET', url: `${scene.target.url}/work` } },
    ]);
    expect(instance.errors).toEqual([]);
  });

  it('publishes to live followers that its callback is awaited', async () => {
    const instance = scene.instance();
    const hub = createEventHub({ db: scene.pool, pollIntervalMs: 3_600_000, onError: () => undefined });
    onTestFinished(hub.stop);
    instance.wakeUps.on('events', hub.wake);
    const { id } = await triggerAwaited(instance);
    const gate = scene.target.gate('/work', 202);
    await instance.worker.runOnce();
    const feeds = createFeeds({ db: scene.pool, hub });
    const log = await feeds.subscribeToLogs(id, null);
    const events = await feeds.subscribe({ filter: (event) => event.executionId === id });
    const [line, event] = [log.next(), events.next()];
    gate.open();
    const message = expect.stringContaining('Its callback is awaited until') as string;
    expect(await line).toMatchObject({ value: { log: { message } } });
    expect(await event).toMatchObject({
      value: { event: { kind: 'EXECUTION_CALLBACK_AWAITED', status: 'RUNNING', responseStatus: 202 } },
    });
    await Promise.all([log.return?.(), events.return?.()]);
  });

  it('has no holder while it waits, so it takes no place and no lease is extended', async () => {
    const instance = scene.instance({ maxConcurrency: 1 });
    const { id } = await beginAwaited(instance);
    expect(instance.worker.held()).toEqual([]);
    const before = await everythingOf(scene.pool, id);
    scene.clock.advance(LEASE_MS + 1);
    await instance.leaseKeeper.runOnce();
    await instance.rescuer.runOnce();
    expect(await everythingOf(scene.pool, id)).toEqual(before);

    const other = await trigger(instance, await createJob(instance, { api: `${scene.target.url}/other` }));
    await instance.work();
    expect(await readExecution(scene.pool, other)).toMatchObject({ status: 'SUCCESS' });
  });

  it('does not allow a header of the job to replace the URL', async () => {
    const headers = { 'X-Callback-URL': 'https://elsewhere.example.com/' };
    const { call } = await beginAwaited(scene.instance(), { headers });
    expect(callbackUrlOf(call)).toMatch(/^http:\/\/scheduler\.test\/callbacks\/exec_/);
  });

  it('sends no callback URL when the answer completes it', async () => {
    const { id, call } = await beginAwaited(scene.instance(), { completion: 'RESPONSE' });
    expect(call?.headers).not.toHaveProperty('x-callback-url');
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS' });
  });

  it('is handled as usual when the answer is a failure', async () => {
    const instance = scene.instance();
    scene.target.script('/work', [503, 400]);
    const { id } = await triggerAwaited(instance, { retryPolicy: RETRIED });
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'RETRYING', retry_count: 1 });
    scene.clock.advance(1_000);
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'FAILED',
      failure_reason: 'HTTP_STATUS',
    });
    expect(await callBack(instance, scene.target.callsTo('/work')[1])).toBe('late');
  });
});

describe('a callback', () => {
  it('of success ends the execution as SUCCESS, with the whole time since its call', async () => {
    const instance = scene.instance();
    const { id, jobId, call } = await beginAwaited(instance);
    const startedAt = scene.clock.now();
    const at = scene.clock.advance(42_000);
    instance.wakeUps.woken.length = 0;
    expect(await callBack(instance, call, { message: '3 rows', output: '{"rows":3}' })).toBe('completed');

    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'SUCCESS',
      finished_at: at,
      duration_ms: 42_000,
      lease_expires_at: null,
      callback_deadline_at: null,
      awaited_response: null,
      response_status: 202,
      response_body: '{"rows":3}',
      error_message: null,
    });
    const [attempt] = await attemptsOf(scene.pool, id);
    expect(attempt).toMatchObject({
      number: 1,
      started_at: startedAt,
      finished_at: at,
      duration_ms: 42_000,
      response_status: 202,
      response_body: '{"rows":3}',
      failure_reason: null,
      instance_id: instance.instanceId,
    });
    expect(attempt?.['response_headers']).toHaveProperty('date');
    expect(attempt?.['timings']).toHaveProperty('totalMs');
    expect((await logOf(id)).at(-1)).toBe('The callback reported success: 3 rows.');
    expect(await eventsOf(scene.pool, jobId)).toMatchObject([
      { kind: 'JOB_CREATED' },
      { kind: 'EXECUTION_PLANNED' },
      { kind: 'EXECUTION_STARTED' },
      { kind: 'EXECUTION_CALLBACK_AWAITED', previous_status: 'RUNNING', status: 'RUNNING', attempt: 1 },
      { kind: 'EXECUTION_SUCCEEDED', previous_status: 'RUNNING', attempt: 1, response_status: 202 },
    ]);
    expect(instance.wakeUps.woken).toEqual(['jobs', 'executions', 'blocked', 'events']);
  });

  it('without output keeps the answer to the call', async () => {
    const instance = scene.instance();
    const { id, call } = await beginAwaited(instance);
    await callBack(instance, call);
    expect(await readExecution(scene.pool, id)).toMatchObject({
      response_body: 'accepted',
      response_truncated: false,
    });
  });

  it('with a long output has it cut, and this is logged', async () => {
    const instance = scene.instance();
    const { id, call } = await beginAwaited(instance);
    await callBack(instance, call, { output: `${'x'.repeat(4_999)}😀` });
    expect(await readExecution(scene.pool, id)).toMatchObject({
      response_body: 'x'.repeat(4_999),
      response_truncated: true,
    });
  });

  it('of failure is retried by the policy, and the next attempt gets a new callback', async () => {
    const instance = scene.instance();
    const { id, call } = await beginAwaited(instance, { retryPolicy: RETRIED });
    expect(await callBack(instance, call, { status: 'failure', message: 'Disk full.' })).toBe('completed');
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'RETRYING',
      retry_count: 1,
      available_at: plus(scene.clock.now(), 1_000),
      callback_deadline_at: null,
    });

    scene.clock.advance(1_000);
    await instance.work();
    const [first, second] = scene.target.callsTo('/work');
    expect(second?.headers['idempotency-key']).toBe(first?.headers['idempotency-key']);
    expect(await callBack(instance, second)).toBe('completed');
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS', attempt_count: 2 });
    expect(await attemptsOf(scene.pool, id)).toMatchObject([
      { number: 1, failure_reason: 'CALLBACK', error_message: 'The callback reported a failure: Disk full.' },
      { number: 2, failure_reason: null },
    ]);
  });

  it.each([
    ['that asks for no retry', { retryPolicy: RETRIED }, { retry: false }],
    ['of a job that is ATMOST_ONCE', { retryPolicy: RETRIED, type: 'ATMOST_ONCE' as const }, {}],
    ['of a job without a retry policy', {}, {}],
  ])('of failure %s ends in the dead letter queue', async (_which, input, report) => {
    const instance = scene.instance();
    const { id, jobId, call } = await beginAwaited(instance, input);
    expect(await callBack(instance, call, { status: 'failure', ...report })).toBe('completed');
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'FAILED',
      failure_reason: 'CALLBACK',
      finished_at: scene.clock.now(),
    });
    expect((await everythingOf(scene.pool, id))['failed_jobs_dlq']).toMatchObject([
      { failure_reason: 'CALLBACK' },
    ]);
    expect((await eventKindsOf(scene.pool, jobId)).at(-1)).toBe('EXECUTION_FAILED');
  });

  it('triggers the jobs that waited for the end, and they can read the output', async () => {
    const instance = scene.instance();
    const downstream = await createJob(instance, { name: 'downstream' });
    const { id, jobId, call } = await beginAwaited(instance);
    await insertDependency(scene.pool, downstream.id, jobId);
    expect(await callBack(instance, call, { output: 'for you' })).toBe('completed');
    const [run] = await executionsOf(scene.pool, downstream.id);
    expect(run).toMatchObject({ status: 'PENDING', trigger: 'DEPENDENCY' });
    expect(await triggersOf(scene.pool, String(run?.['id']))).toEqual([id]);
  });

  it('is accepted by another instance when the calling one has died, and nothing is repeated', async () => {
    const [first, second] = [scene.instance(), scene.instance()];
    const { id, call } = await beginAwaited(first);
    await first.close();
    scene.clock.advance(LEASE_MS + 1);
    await second.rescuer.runOnce();
    await second.callbackWatch.runOnce();
    await second.work();
    expect(scene.target.callsTo('/work')).toHaveLength(1);
    expect(await callBack(second, call)).toBe('completed');
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'SUCCESS', rescue_count: 0 });
  });

  it('that arrives before the answer to the call counts, and the answer changes nothing', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/work', { status: 202, body: 'accepted' });
    const { id } = await triggerAwaited(instance);
    await instance.worker.runOnce();
    const [call] = await scene.target.received('/work');
    expect(await callBack(instance, call, { output: 'done' })).toBe('completed');
    const before = await everythingOf(scene.pool, id);
    // The call continues: closing its socket could interrupt the work of the target.
    await instance.leaseKeeper.runOnce();
    expect(instance.worker.held()).toHaveLength(1);
    expect(scene.target.openSockets()).toBe(1);
    gate.open();
    await instance.worker.drained();
    expect(await everythingOf(scene.pool, id)).toEqual(before);
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'SUCCESS',
      response_status: null,
      response_body: 'done',
    });
    expect(instance.errors).toEqual([]);
  });

  it('that arrives before the answer shows nothing of the attempt before', async () => {
    const instance = scene.instance();
    scene.target.script('/work', { status: 503, body: 'later' });
    const { id } = await triggerAwaited(instance, { retryPolicy: RETRIED });
    await instance.work();
    scene.clock.advance(1_000);
    scene.target.script('/work', 'hang');
    await instance.worker.runOnce();
    const [, second] = await scene.target.received('/work', 2);
    await callBack(instance, second);
    expect(await readExecution(scene.pool, id)).toMatchObject({ response_status: null, response_body: null });
  });
});

describe('waits that are over', () => {
  it('end although the database refuses one of them, and another transaction holds a second one', async () => {
    let nowMs = 0;
    const instance = scene.instance({ monotonicMs: () => nowMs });
    const begun = [];
    for (let n = 0; n < 4; n += 1) begun.push((await beginAwaited(instance)).id);
    const [refused, held, ...others] = begun as [string, string, string, string];
    await refuseChanges(scene.pool, [refused]);
    scene.clock.advance(TIMEOUT_MS + 1);
    const failed = `job_executions WHERE status = 'FAILED' AND failure_reason = 'TIMEOUT' AND id = ANY($1)`;
    await inTransaction(scene.pool, async (tx) => {
      await tx.query('SELECT FROM job_executions WHERE id = $1 FOR UPDATE', [held]);
      await instance.callbackWatch.runOnce();
    });
    expect(await count(scene.pool, failed, [begun])).toBe(2);
    expect(await count(scene.pool, failed, [others])).toBe(2);
    await instance.callbackWatch.runOnce();
    expect(await count(scene.pool, failed, [[held]])).toBe(1);

    await acceptAll(scene.pool);
    nowMs += 10_000;
    await instance.callbackWatch.runOnce();
    expect(await count(scene.pool, failed, [begun])).toBe(4);
  });
});

describe('a callback is refused', () => {
  it('when it was accepted already, however it ended the attempt', async () => {
    const instance = scene.instance();
    const succeeded = await beginAwaited(instance);
    const failed = await beginAwaited(instance, { retryPolicy: RETRIED });
    await callBack(instance, succeeded.call);
    await callBack(instance, failed.call, { status: 'failure' });
    const before = [await everythingOf(scene.pool, succeeded.id), await everythingOf(scene.pool, failed.id)];

    expect(await callBack(instance, succeeded.call, { status: 'failure' })).toBe('repeated');
    expect(await callBack(instance, failed.call)).toBe('repeated');
    expect([await everythingOf(scene.pool, succeeded.id), await everythingOf(scene.pool, failed.id)]).toEqual(
      before,
    );

    scene.clock.advance(1_000);
    await instance.work();
    expect(await callBack(instance, failed.call)).toBe('repeated');
  });

  it('except for one when many arrive at once on two instances', async () => {
    const instances = [scene.instance(), scene.instance()] as const;
    const { id, call } = await beginAwaited(instances[0]);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => callBack(instances[n % 2 === 0 ? 0 : 1], call)),
    );
    expect(answers.filter((answer) => answer === 'completed')).toHaveLength(1);
    expect(answers.filter((answer) => answer === 'repeated')).toHaveLength(9);
    expect(await attemptsOf(scene.pool, id)).toHaveLength(1);
  });

  it('from the deadline on, also before an instance has ended the wait', async () => {
    const instance = scene.instance();
    const { id, call } = await beginAwaited(instance);
    scene.clock.advance(TIMEOUT_MS);
    expect(await callBack(instance, call)).toBe('late');
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'RUNNING' });
    await instance.callbackWatch.runOnce();
    expect(await callBack(instance, call)).toBe('late');
  });

  it('when another attempt has started', async () => {
    const instance = scene.instance();
    const { call: first } = await beginAwaited(instance, { retryPolicy: RETRIED });
    scene.clock.advance(TIMEOUT_MS);
    await instance.callbackWatch.runOnce();
    scene.clock.advance(1_000);
    await instance.work();
    expect(scene.target.callsTo('/work')).toHaveLength(2);
    expect(await callBack(instance, first)).toBe('late');
    expect(await callBack(instance, scene.target.callsTo('/work')[1])).toBe('completed');
  });

  it('when its signature is forged, or belongs to another execution', async () => {
    const instance = scene.instance();
    const one = await beginAwaited(instance);
    const other = await beginAwaited(instance);
    const url = callbackUrlOf(one.call);
    const withUrl = (changed: string) =>
      ({ ...one.call, headers: { 'x-callback-url': changed } }) as unknown as RecordedCall;
    const forged = `${url.slice(0, -5)}AAAAA`;
    const foreign = url.replace(encodePublicId('Execution', one.id), encodePublicId('Execution', other.id));
    expect(await callBack(instance, withUrl(forged))).toBe('unknown');
    expect(await callBack(instance, withUrl(foreign))).toBe('unknown');
    expect(await readExecution(scene.pool, other.id)).toMatchObject({ status: 'RUNNING' });
  });

  it('when its execution is no longer stored', async () => {
    const instance = scene.instance();
    const { id, call } = await beginAwaited(instance);
    await scene.pool.query('DELETE FROM job_executions WHERE id = $1', [id]);
    expect(await callBack(instance, call)).toBe('late');
  });
});

describe('a callback that does not come', () => {
  it('is a timeout at the deadline, to the millisecond, and not a death', async () => {
    const instance = scene.instance();
    const { id, jobId } = await beginAwaited(instance);
    const before = await everythingOf(scene.pool, id);
    scene.clock.advance(TIMEOUT_MS - 1);
    await instance.callbackWatch.runOnce();
    expect(await everythingOf(scene.pool, id)).toEqual(before);

    const deadlineAt = scene.clock.advance(1);
    await instance.callbackWatch.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'FAILED',
      failure_reason: 'TIMEOUT',
      error_message: `No callback came until ${deadlineAt.toISOString()}.`,
      rescue_count: 0,
      response_status: 202,
    });
    expect(await attemptsOf(scene.pool, id)).toMatchObject([
      { number: 1, failure_reason: 'TIMEOUT', response_status: 202, duration_ms: TIMEOUT_MS },
    ]);
    expect((await eventKindsOf(scene.pool, jobId)).at(-1)).toBe('EXECUTION_FAILED');
    expect(instance.wakeUps.woken.slice(-2)).toEqual(['executions', 'events']);
  });

  it('is not a death to a rescuer that looks first', async () => {
    const instance = scene.instance();
    const { id } = await beginAwaited(instance);
    const before = await everythingOf(scene.pool, id);
    scene.clock.advance(TIMEOUT_MS + 1);
    await instance.rescuer.runOnce();
    expect(await everythingOf(scene.pool, id)).toEqual(before);
  });

  it('is checked when the next wait ends, and each second for waits of other instances', async () => {
    const instance = scene.instance();
    await beginAwaited(instance);
    const { rests } = watchTicks();
    instance.callbackWatch.start();
    await until(() => rests.length > 0);
    scene.clock.advance(TIMEOUT_MS - 300);
    instance.callbackWatch.wake();
    await until(() => rests.length > 1);
    expect(rests.slice(0, 2)).toEqual([1_000, 300]);
  });

  it('is retried by the policy until the retries are used up', async () => {
    const instance = scene.instance();
    const { id } = await beginAwaited(instance, { retryPolicy: RETRIED });
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      scene.clock.advance(TIMEOUT_MS);
      await instance.callbackWatch.runOnce();
      scene.clock.advance(1_000);
      await instance.work();
    }
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'FAILED', attempt_count: 3 });
    expect(scene.target.callsTo('/work')).toHaveLength(3);
  });

  it('triggers the jobs that waited for a failure', async () => {
    const instance = scene.instance();
    const downstream = await createJob(instance, { name: 'downstream' });
    const { jobId } = await beginAwaited(instance);
    await insertDependency(scene.pool, downstream.id, jobId, 'ON_FAILURE');
    scene.clock.advance(TIMEOUT_MS);
    await instance.callbackWatch.runOnce();
    expect(await executionsOf(scene.pool, downstream.id)).toMatchObject([{ trigger: 'DEPENDENCY' }]);
  });

  it('is recorded once when two instances check at once', async () => {
    const instances = [scene.instance(), scene.instance()] as const;
    const { id } = await beginAwaited(instances[0]);
    scene.clock.advance(TIMEOUT_MS);
    await Promise.all(instances.map(({ callbackWatch }) => callbackWatch.runOnce()));
    expect(await attemptsOf(scene.pool, id)).toHaveLength(1);
  });
});

describe('cancelling', () => {
  const cancel = async (instance: TestInstance, id: string) =>
    valueOf(
      await instance.commands.cancelExecution(CALLER, {
        id: encodePublicId('Execution', id),
        reason: 'Not needed.',
      }),
    );

  it('an execution that waits for its callback ends it on any instance', async () => {
    const [first, second] = [scene.instance(), scene.instance()];
    const { id, call } = await beginAwaited(first);
    await cancel(first, id);
    expect(first.wakeUps.woken).toContain('cancellations');
    expect(await callBack(first, call)).toBe('late');
    await second.callbackWatch.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'CANCELLED',
      error_message: 'Cancelled while its callback was awaited. Reason: Not needed.',
      failure_reason: null,
      rescue_count: 0,
    });
    expect(await callBack(first, call)).toBe('late');
    expect(scene.target.callsTo('/work')).toHaveLength(1);
  });

  it('during the call prevents the wait', async () => {
    const instance = scene.instance();
    const gate = scene.target.gate('/work', { status: 202, body: 'accepted' });
    const { id } = await triggerAwaited(instance);
    await instance.worker.runOnce();
    const [call] = await scene.target.received('/work');
    await cancel(instance, id);
    expect(await callBack(instance, call)).toBe('late');
    gate.open();
    await instance.worker.drained();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'CANCELLED',
      error_message: 'Cancelled while its callback was awaited. Reason: Not needed.',
      response_status: 202,
      callback_deadline_at: null,
    });
  });

  it('happens when the job is deleted', async () => {
    const instance = scene.instance();
    const { id, jobId } = await beginAwaited(instance);
    valueOf(await instance.commands.deleteJob(CALLER, reference({ id: jobId })));
    await instance.callbackWatch.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'CANCELLED' });
  });

  it('happens with the next run when that replaces the one before', async () => {
    const instance = scene.instance();
    const { id, jobId } = await beginAwaited(instance, { concurrencyPolicy: 'REPLACE' });
    const next = await trigger(instance, { id: jobId });
    expect(await readExecution(scene.pool, next)).toMatchObject({ status: 'BLOCKED' });
    await instance.callbackWatch.runOnce();
    await instance.unblocker.runOnce();
    expect(await readExecution(scene.pool, id)).toMatchObject({ status: 'CANCELLED' });
    expect(await readExecution(scene.pool, next)).toMatchObject({ status: 'PENDING' });
  });
});

it('A run is unfinished for the overlap policy while its callback is awaited', async () => {
  const instance = scene.instance();
  const { jobId, call } = await beginAwaited(instance, { concurrencyPolicy: 'FORBID' });
  const second = await trigger(instance, { id: jobId });
  expect(await readExecution(scene.pool, second)).toMatchObject({
    status: 'SKIPPED',
    skip_reason: 'OVERLAP',
  });
  await callBack(instance, call);
  const third = await trigger(instance, { id: jobId });
  expect(await readExecution(scene.pool, third)).toMatchObject({ status: 'PENDING' });
});
