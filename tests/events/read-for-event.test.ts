import { expect, it, onTestFinished } from 'vitest';
import { createFeeds } from '../../src/events/feeds.ts';
import { createEventHub } from '../../src/events/hub.ts';
import type { Queryable, Statement } from '../../src/store/statements/sql.ts';
import { useScene } from '../support/scene.ts';
import { until } from '../support/until.ts';

const scene = useScene();

/** Feeds over a database that can be away. They retry often. */
function feedsOf() {
  const state = { isAway: false };
  const errors: unknown[] = [];
  const query = (statement: Statement) =>
    state.isAway ? Promise.reject(new Error('The database is away')) : scene.pool.query(statement);
  const db: Queryable = { query: query as Queryable['query'] };
  const hub = createEventHub({ db, pollIntervalMs: 10, onError: (error) => errors.push(error) });
  onTestFinished(hub.stop);
  return { state, errors, hub, read: createFeeds({ db, hub }).readForEvent };
}

it('waits while the database is away, however many callers retry', async () => {
  const { state, errors, read } = feedsOf();
  state.isAway = true;
  const reads = Array.from({ length: 50 }, () =>
    read(() => (state.isAway ? Promise.reject(new Error('no connection')) : Promise.resolve('there'))),
  );
  await until(() => errors.length > 6);
  expect(errors.filter((error) => String(error).includes('no connection'))).toHaveLength(1);
  state.isAway = false;
  expect(new Set(await Promise.all(reads))).toEqual(new Set(['there']));
});

it('throws an error that persists although the log can be read', async () => {
  const { read } = feedsOf();
  let reads = 0;
  const failing = read(() => {
    reads += 1;
    return Promise.reject(new Error('column "gone" does not exist'));
  });
  await expect(failing).rejects.toThrow('column "gone" does not exist');
  expect(reads).toBe(5);
});

it('throws when the hub stops before the database is back', async () => {
  const { state, errors, hub, read } = feedsOf();
  state.isAway = true;
  const failing = read(() => Promise.reject(new Error('no connection')));
  await until(() => errors.length > 2);
  await Promise.all([expect(failing).rejects.toThrow('no connection'), hub.stop()]);
  await expect(read(() => Promise.reject(new Error('later')))).rejects.toThrow('later');
});
