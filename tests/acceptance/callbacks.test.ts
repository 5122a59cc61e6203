import { expect, it } from 'vitest';
import { apiClient, type ApiClient } from '../support/api-client.ts';
import { callbackUrlOf } from '../support/callbacks.ts';
import { checkHistory } from '../support/history.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';

const world = useWorld('test');

const READ = /* GraphQL */ `
  query ($id: ID!) {
    execution(id: $id) {
      status
      failureReason
      errorMessage
      callbackDeadlineAt
      responseStatus
      responseBody
      request {
        headers
      }
      attempts {
        number
        failureReason
      }
    }
  }
`;
type Execution = Record<string, unknown> & { status: string; callbackDeadlineAt: string | null };

async function read(api: ApiClient, id: string): Promise<Execution> {
  return (await api.query<{ execution: Execution }>(READ, { id })).execution;
}

/** Waits until the server has recorded the target's answer. */
async function awaited(api: ApiClient, id: string): Promise<Execution> {
  return until(async () => {
    const execution = await read(api, id);
    return execution.callbackDeadlineAt === null ? null : execution;
  });
}

async function ended(api: ApiClient, id: string): Promise<Execution> {
  return until(async () => {
    const execution = await read(api, id);
    return ['PENDING', 'RUNNING', 'RETRYING'].includes(execution.status) ? null : execution;
  });
}

async function post(url: string, body: unknown): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

it('A job succeeds when its target calls back at the URL where the server listens', async () => {
  const { target, pool } = world;
  const server = await world.startServer();
  const api = apiClient(server);
  target.script('/work', { status: 202, body: 'accepted' });
  const job = await api.createJob({
    api: `${target.url}/work`,
    completion: 'CALLBACK',
    retryPolicy: { maxRetries: 1, initialDelayMs: 50 },
  });
  const id = await api.trigger(job);
  expect(await awaited(api, id)).toMatchObject({
    status: 'RUNNING',
    responseStatus: 202,
    request: { headers: { 'x-callback-url': `${server.url}/callbacks/***` } },
  });

  const first = callbackUrlOf((await target.received('/work'))[0]);
  expect(first).toMatch(new RegExp(`^${server.url}/callbacks/${id}\\.1\\.`));
  expect(await post(first, { status: 'failed' })).toMatchObject({ status: 400 });
  expect(await post(first, { status: 'failure', message: 'Disk full.' })).toEqual({
    status: 200,
    body: { ok: true },
  });
  expect(await post(first, { status: 'success' })).toMatchObject({ status: 409 });

  const second = callbackUrlOf((await target.received('/work', 2))[1]);
  expect(await post(second.replace('.2.', '.3.'), { status: 'success' })).toMatchObject({ status: 404 });
  expect(await post(second, { status: 'success', output: { rows: 3 } })).toMatchObject({ status: 200 });
  expect(await read(api, id)).toMatchObject({
    status: 'SUCCESS',
    callbackDeadlineAt: null,
    responseBody: '{"rows":3}',
    attempts: [
      { number: 1, failureReason: 'CALLBACK' },
      { number: 2, failureReason: null },
    ],
  });
  await checkHistory(pool, target.calls);
  const tokens = [first, second].map((url) => url.slice(url.lastIndexOf('/') + 1));
  for (const token of tokens) expect(server.output()).not.toContain(token);
});

it('A callback succeeds after the calling server was killed, and the call is not repeated', async () => {
  const { target, pool } = world;
  const env = { PUBLIC_URL: 'https://scheduler.example.com/jobs/' };
  const doomed = await world.startServer(env);
  target.script('/work', 202);
  const job = await apiClient(doomed).createJob({ api: `${target.url}/work`, completion: 'CALLBACK' });
  const id = await apiClient(doomed).trigger(job);
  await awaited(apiClient(doomed), id);
  await doomed.kill();

  const server = await world.startServer(env);
  const api = apiClient(server);
  await until(async () => {
    const { rows } = await pool.query('SELECT FROM scheduler_metadata WHERE lost_at IS NOT NULL');
    return rows.length > 0;
  });
  expect(await read(api, id)).toMatchObject({ status: 'RUNNING' });
  const url = callbackUrlOf(target.calls[0]);
  expect(url).toMatch(/^https:\/\/scheduler\.example\.com\/jobs\/callbacks\/exec_/);
  const through = url.replace('https://scheduler.example.com/jobs', server.url);
  expect(await post(through, { status: 'success' })).toMatchObject({ status: 200 });
  expect(await read(api, id)).toMatchObject({ status: 'SUCCESS' });
  expect(target.calls).toHaveLength(1);
});

it('A wait for a callback ends at its deadline, and at once when the execution is cancelled', async () => {
  const { target } = world;
  const api = apiClient(await world.startServer());
  target.script('/work', 202);
  const [short, long] = await Promise.all(
    [1_000, 600_000].map((completionTimeoutMs) =>
      api.createJob({ api: `${target.url}/work`, completion: 'CALLBACK', completionTimeoutMs }),
    ),
  );
  const [silent, cancelled] = await Promise.all([
    api.trigger(short ?? { id: '' }),
    api.trigger(long ?? { id: '' }),
  ]);
  await awaited(api, cancelled);
  await api.query('mutation ($id: ID!) { cancelExecution(input: { id: $id }) { errors { message } } }', {
    id: cancelled,
  });
  expect(await ended(api, cancelled)).toMatchObject({
    status: 'CANCELLED',
    errorMessage: 'Cancelled while its callback was awaited.',
  });
  expect(await ended(api, silent)).toMatchObject({ status: 'FAILED', failureReason: 'TIMEOUT' });
  const url = callbackUrlOf(target.calls.find(({ headers }) => headers['x-execution-id'] === cancelled));
  expect(await post(url, { status: 'success' })).toMatchObject({ status: 410 });
});
