import { describe, expect, it } from 'vitest';
import { encodePublicId } from '../../src/domain/values/public-id.ts';
import { insertDependency } from '../support/dependencies.ts';
import { CALLER, createJob, reference, type TestInstance, trigger, valueOf } from '../support/instance.ts';
import { plus, START } from '../support/manual-clock.ts';
import { executionsOf, insertJob, readExecution } from '../support/rows.ts';
import { useScene } from '../support/scene.ts';

const scene = useScene();

async function workTwice(instance: TestInstance): Promise<void> {
  await instance.work();
  scene.clock.advance(1_000);
  await instance.work();
}

const UPSTREAM =
  '{{trigger.executionId}} {{trigger.jobId}} {{trigger.status}} {{trigger.responseStatus}} {{trigger.body}}';

describe('templates', () => {
  it('are filled again for each attempt, and the history shows what was sent', async () => {
    const instance = scene.instance();
    scene.target.script('/run/1', 503);
    const job = await createJob(instance, {
      name: 'A & B',
      api: `${scene.target.url}/run/{{attempt.number}}?job={{job.name}}`,
      method: 'POST',
      schedule: '* * * * * *',
      headers: { 'X-Slot': '{{execution.scheduledAt}}', 'X-Token': 'secret-{{job.id}}' },
      body: { id: '{{execution.id}}', note: 'of {{job.id}}', upstream: '[{{trigger.body}}]' },
      retryPolicy: { maxRetries: 1, backoffStrategy: 'FIXED', initialDelayMs: 100 },
    });
    scene.clock.advance(1_000);
    await instance.planner.runOnce();
    await workTwice(instance);

    const [execution] = await executionsOf(scene.pool, job.id);
    const jobId = encodePublicId('Job', job.id);
    const id = encodePublicId('Execution', execution?.['id'] as string);
    expect(scene.target.calls.map(({ path, query }) => path + query)).toEqual([
      '/run/1?job=A%20%26%20B',
      '/run/2?job=A%20%26%20B',
    ]);
    const [first] = scene.target.calls;
    expect(first?.headers).toMatchObject({
      'x-slot': plus(START, 1_000).toISOString(),
      'x-token': `secret-${jobId}`,
    });
    expect(JSON.parse(first?.body ?? '')).toEqual({ id, note: `of ${jobId}`, upstream: '[]' });
    expect(execution).toMatchObject({
      status: 'SUCCESS',
      request: {
        url: `${scene.target.url}/run/2?job=A%20%26%20B`,
        headers: { 'x-slot': plus(START, 1_000).toISOString(), 'x-token': '***' },
        body: JSON.stringify({ id, note: `of ${jobId}`, upstream: '[]' }),
      },
    });
  });

  it('pass on the answer of the upstream, also when the run is repeated', async () => {
    const instance = scene.instance();
    scene.target.script('/up', { status: 201, body: 'line 1\nline "2"' });
    scene.target.script('/down', [500, 200]);
    const up = await createJob(instance, { api: `${scene.target.url}/up` });
    const down = await createJob(instance, {
      api: `${scene.target.url}/down`,
      method: 'POST',
      body: { got: UPSTREAM },
    });
    await insertDependency(scene.pool, down.id, up.id);
    const upstream = await trigger(instance, up);
    await workTwice(instance);
    const [failed] = await executionsOf(scene.pool, down.id);
    valueOf(
      await instance.commands.retryExecution(CALLER, {
        id: encodePublicId('Execution', failed?.['id'] as string),
      }),
    );
    await instance.work();

    const ids = `${encodePublicId('Execution', upstream)} ${encodePublicId('Job', up.id)}`;
    const expected = { got: `${ids} SUCCESS 201 line 1\nline "2"` };
    expect(scene.target.callsTo('/down').map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      expected,
      expected,
    ]);
  });

  it('contain the upstream that ended last when there are several', async () => {
    const instance = scene.instance();
    scene.target.script('/b', 500);
    const [a, b, down] = [
      await createJob(instance, { api: `${scene.target.url}/a` }),
      await createJob(instance, { api: `${scene.target.url}/b` }),
      await createJob(instance, { api: `${scene.target.url}/down?{{trigger.status}}-{{trigger.jobId}}` }),
    ];
    await insertDependency(scene.pool, down.id, a.id, 'ON_COMPLETION');
    await insertDependency(scene.pool, down.id, b.id, 'ON_COMPLETION');
    for (const upstream of [b, a, a, b]) {
      await trigger(instance, upstream);
      await workTwice(instance);
    }
    expect(scene.target.callsTo('/down').map(({ query }) => query)).toEqual([
      `?SUCCESS-${encodePublicId('Job', a.id)}`,
      `?FAILED-${encodePublicId('Job', b.id)}`,
    ]);
  });

  it('are filled in the body of one run, and refused there as in a job', async () => {
    const instance = scene.instance();
    const job = await createJob(instance, { api: `${scene.target.url}/run`, method: 'POST' });
    valueOf(await instance.commands.triggerJob(CALLER, { ...reference(job), body: 'run of {{job.name}}' }));
    await instance.work();
    expect(scene.target.callsTo('/run')).toMatchObject([{ body: 'run of Job of a test' }]);
    expect(
      await instance.commands.triggerJob(CALLER, { ...reference(job), body: { a: '{{x}}' } }),
    ).toMatchObject({
      ok: false,
      errors: [{ kind: 'ValidationError', issues: [{ path: ['body', 'a'] }] }],
    });
  });

  it('with values that cannot be sent fail the execution before any call', async () => {
    const instance = scene.instance();
    scene.target.script('/up', { body: '..' });
    const up = await createJob(instance, { api: `${scene.target.url}/up` });
    const down = await createJob(instance, {
      api: `${scene.target.url}/files/{{trigger.body}}/x`,
      headers: { 'X-Team': 'blue', 'x-attempt': '7' },
      retryPolicy: { maxRetries: 3 },
    });
    await insertDependency(scene.pool, down.id, up.id);
    await trigger(instance, up);
    await workTwice(instance);
    const [failed, ...others] = await executionsOf(scene.pool, down.id);
    expect(others).toEqual([]);
    expect(failed).toMatchObject({
      status: 'FAILED',
      failure_reason: 'INVALID_REQUEST',
      attempt_count: 1,
      error_message: expect.stringContaining('would change the path') as string,
    });
    // A reason with an attempt would look like a request that was sent.
    expect(failed?.['request']).toEqual({
      method: 'GET',
      url: `${scene.target.url}/files/{{trigger.body}}/x`,
      headers: { 'X-Team': 'blue' },
      body: null,
    });
    expect(scene.target.calls).toHaveLength(1);
  });

  it('in a row that was never checked fail its executions, each with the reason', async () => {
    const instance = scene.instance();
    const job = await insertJob(scene.pool, { api: `${scene.target.url}/{{user}}` });
    const id = await trigger(instance, { id: job });
    await instance.work();
    expect(await readExecution(scene.pool, id)).toMatchObject({
      status: 'FAILED',
      failure_reason: 'INVALID_REQUEST',
      error_message: expect.stringContaining('{{user}} is no known name') as string,
    });
  });
});
