import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import { checkHistory } from '../support/history.ts';
import { SHORT_LEASE } from '../support/server-process.ts';
import type { RecordedCall } from '../support/target-server.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';
import { allEnded, inMs, schedulesOver } from './endings.ts';

const world = useWorld('test');
const IN_FLIGHT = 20;

function attemptsById(calls: readonly RecordedCall[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { headers } of calls) {
    const id = headers['x-execution-id'] ?? '';
    found.set(id, [...(found.get(id) ?? []), headers['x-attempt'] ?? '']);
  }
  return found;
}

it('ends every execution of a killed server under the same id', async () => {
  const { target } = world;
  const gate = target.gate('/slow');
  const first = await world.startServer(SHORT_LEASE);
  const api = apiClient(first);
  await api.createJob({ api: `${target.url}/tick`, schedule: '* * * * * *', endAt: inMs(6_000) });
  const slow = await api.createJob({ api: `${target.url}/slow` });
  const ids = await api.triggerMany(slow, IN_FLIGHT);
  await target.received('/slow', IN_FLIGHT);
  await target.received('/tick');

  expect(await first.kill()).toEqual({ code: null, signal: 'SIGKILL' });
  await world.startServer();
  const calls = await target.received('/slow', 2 * IN_FLIGHT);
  gate.open();

  expect(attemptsById(calls)).toEqual(new Map(ids.map((id) => [id, ['1', '2']])));
  await schedulesOver(world.pool);
  const history = await checkHistory(world.pool, target.calls);
  expect(history.interruptions).toBeGreaterThanOrEqual(IN_FLIGHT);
  expect(history.slots).toBeGreaterThanOrEqual(2);
});

it('finishes running calls within the shutdown grace', async () => {
  const { target } = world;
  const gate = target.gate('/slow');
  const server = await world.startServer();
  const api = apiClient(server);
  await api.triggerMany(await api.createJob({ api: `${target.url}/slow` }), IN_FLIGHT);
  await target.received('/slow', IN_FLIGHT);

  // Sends two signals, as a Ctrl-C does when npm is the parent process.
  server.signal('SIGTERM');
  server.signal('SIGTERM');
  await until(() => server.logged('Waiting for calls in flight').length > 0);
  const readiness = await fetch(`${server.url}/health/ready`);
  expect({ status: readiness.status, body: (await readiness.json()) as unknown }).toEqual({
    status: 503,
    body: { status: 'DOWN', reasons: ['scheduler: The scheduler is stopping.'] },
  });
  gate.open();

  expect(await server.exited).toEqual({ code: 0, signal: null });
  expect(await checkHistory(world.pool, target.calls)).toEqual({
    executions: IN_FLIGHT,
    slots: 0,
    calls: IN_FLIGHT,
    interruptions: 0,
  });
});

it('gives back calls that exceed the grace, and the next server repeats them under the same ids', async () => {
  const { target } = world;
  const gate = target.gate('/slow');
  const first = await world.startServer({ SHUTDOWN_GRACE_MS: '100' });
  const api = apiClient(first);
  const ids = await api.triggerMany(await api.createJob({ api: `${target.url}/slow` }), IN_FLIGHT);
  await target.received('/slow', IN_FLIGHT);

  expect(await first.stop()).toEqual({ code: 0, signal: null });
  const { rows } = await world.pool.query('SELECT status, count(*)::int FROM job_executions GROUP BY status');
  expect(rows).toEqual([{ status: 'PENDING', count: IN_FLIGHT }]);

  await world.startServer();
  const calls = await target.received('/slow', 2 * IN_FLIGHT);
  gate.open();
  expect(attemptsById(calls)).toEqual(new Map(ids.map((id) => [id, ['1', '2']])));
  await allEnded(world.pool);
  expect(await checkHistory(world.pool, target.calls)).toMatchObject({
    executions: IN_FLIGHT,
    interruptions: IN_FLIGHT,
  });
});
