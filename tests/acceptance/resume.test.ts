import { expect, it } from 'vitest';
import { apiClient } from '../support/api-client.ts';
import {
  executionEventPositions,
  firstCursor,
  followEvents,
  type EventFollower,
} from '../support/event-follower.ts';
import { checkHistory } from '../support/history.ts';
import { SHORT_LEASE } from '../support/server-process.ts';
import { until } from '../support/until.ts';
import { useWorld } from '../support/world.ts';
import { allEnded } from './endings.ts';

const world = useWorld('test');

/** Waits until the follower has as many events as the log, and expects the same events in the same order. */
async function expectEachOnce(follower: EventFollower): Promise<void> {
  const logged = await executionEventPositions(world.pool);
  await until(() => follower.events.length >= logged.length, { timeoutMs: 30_000 });
  expect(follower.positions()).toEqual(logged);
  expect(follower.troubles).toEqual([]);
}

it('sends each event exactly once and in order to a subscriber that keeps losing its socket', async () => {
  const { target, pool } = world;
  const server = await world.startServer();
  const api = apiClient(server);
  target.script('/flaky', ({ headers }) => (headers['x-attempt'] === '1' ? 503 : 200));
  const retryPolicy = { backoffStrategy: 'FIXED', initialDelayMs: 20 };
  const job = await api.createJob({ api: `${target.url}/flaky`, retryPolicy });
  const dropAfter = [1, 1, 2, 3, 5, 8, 13, 21, 34, 1, 2, 1, 3, 1, 40];
  const url = () => server.url;
  const after = await firstCursor(pool);
  // With another subscriber connected, the server reads events from memory. A subscriber that is alone resumes with
  // events that only the log has.
  const steady = followEvents({ url, after });
  const follower = followEvents({ url, after, dropAfter });

  for (let round = 0; round < 4; round += 1) {
    const before = follower.events.length;
    await api.triggerMany(job, 15);
    await until(() => follower.events.length > before, { timeoutMs: 30_000 });
  }
  await allEnded(pool);
  await expectEachOnce(follower);
  await expectEachOnce(steady);
  // The five events: planned, started, retry planned, started, succeeded.
  expect(follower.events).toHaveLength(4 * 15 * 5);
  expect(follower.connections()).toBe(dropAfter.length + 1);
});

it('sends a subscriber each event exactly once when its server is killed', async () => {
  const { target, pool } = world;
  const gate = target.gate('/slow');
  let server = await world.startServer(SHORT_LEASE);
  const job = await apiClient(server).createJob({ api: `${target.url}/slow` });
  const url = () => server.url;
  const follower = followEvents({ url, after: await firstCursor(pool), dropAfter: [2, 1, 7, 3] });
  await apiClient(server).triggerMany(job, 10);
  await target.received('/slow', 10);
  await until(() => follower.events.length > 15, { timeoutMs: 30_000 });

  await server.kill();
  server = await world.startServer();
  await apiClient(server).triggerMany(job, 10);
  await target.received('/slow', 30);
  gate.open();
  await allEnded(pool);
  await expectEachOnce(follower);
  await checkHistory(pool, target.calls);
  expect(follower.events.filter(({ kind }) => kind === 'INTERRUPTED')).toHaveLength(10);
});
