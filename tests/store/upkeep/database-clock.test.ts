import type { Pool } from 'pg';
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/domain/values/clock.ts';
import { createDatabaseClock } from '../../../src/store/upkeep/database-clock.ts';
import { useScene } from '../../support/scene.ts';

const scene = useScene();

describe('the database’s clock', () => {
  it('shows the time of the database to within a round trip', async () => {
    const clock = await createDatabaseClock(scene.pool);
    const before = clock.now().getTime();
    const { rows } = await scene.pool.query<{ now: Date }>('SELECT clock_timestamp() AS now');
    const after = clock.now().getTime();
    const shown = rows[0]?.now.getTime() ?? 0;
    expect(shown).toBeGreaterThan(before - 50);
    expect(shown).toBeLessThan(after + 50);
  });

  it('is not led astray by waits for a connection', async () => {
    const database = databaseAt(1_000_000);
    database.waitForConnections(200);
    const clock = await createDatabaseClock(database.db);
    expectRight(clock, database);
    await clock.refresh();
    expectRight(clock, database);
    expect(database.connections()).toBe(0);
  });

  it('is not led astray by a question that had to wait for its answer', async () => {
    const database = databaseAt(1_000_000);
    database.waitBeforeAnswer(400);
    const clock = await createDatabaseClock(database.db);
    expectRight(clock, database);
  });

  it('follows a step of the database’s clock, forwards and back', async () => {
    const database = databaseAt(1_000_000);
    const clock = await createDatabaseClock(database.db);
    for (const step of [60_000, -30_000]) {
      database.step(step);
      await clock.refresh();
      expectRight(clock, database);
    }
  });

  it('tells how long ago it found the database’s clock set forward, and not of what is an error of its own', async () => {
    const database = databaseAt(1_000_000);
    const clock = await createDatabaseClock(database.db);
    expect(clock.sinceSetForwardMs()).toBe(Infinity);
    for (const step of [900, -60_000]) {
      database.step(step);
      await clock.refresh();
      expect(clock.sinceSetForwardMs()).toBe(Infinity);
    }
    database.step(60_000);
    await clock.refresh();
    expect(clock.sinceSetForwardMs()).toBeLessThan(5_000);
  });

  it('counts the first of several times that it was set forward, so that nobody is given time without end', async () => {
    const database = databaseAt(1_000_000);
    const clock = await createDatabaseClock(database.db);
    database.step(60_000);
    await clock.refresh();
    const first = clock.sinceSetForwardMs();
    database.step(60_000);
    await clock.refresh();
    expect(clock.sinceSetForwardMs()).toBeGreaterThan(first);
  });

  it('does not run backwards by the small error of a refresh', async () => {
    const database = databaseAt(1_000_000);
    const clock = await createDatabaseClock(database.db);
    const before = clock.now();
    database.step(-200);
    await clock.refresh();
    expect(clock.now().getTime()).toBeGreaterThanOrEqual(before.getTime());
  });

  it('keeps its time while the database cannot be asked', async () => {
    const database = databaseAt(1_000_000);
    const clock = await createDatabaseClock(database.db);
    database.goAway();
    await expect(clock.refresh()).rejects.toThrow('away');
    expectRight(clock, database);
  });

  it('does not begin without a first answer', async () => {
    const database = databaseAt(0);
    database.goAway();
    await expect(createDatabaseClock(database.db)).rejects.toThrow('away');
  });
});

/** To within the error of a round trip; the true time is taken on both sides, as the machine may be busy. */
function expectRight(clock: Clock, { now }: { now: () => number }): void {
  const before = now();
  const shown = clock.now().getTime();
  const after = now();
  expect(shown).toBeGreaterThan(before - 50);
  expect(shown).toBeLessThan(after + 50);
}

/** A database with a clock that the test sets. It blocks for its waits, as only the order of things counts. */
function databaseAt(startMs: number) {
  const origin = performance.now();
  let shift = startMs;
  let waitMs = 0;
  let connectMs = 0;
  let connections = 0;
  let isAway = false;
  const now = () => performance.now() - origin + shift;
  const query = () => {
    if (isAway) return Promise.reject(new Error('The database is away.'));
    const wait = waitMs;
    waitMs = 0;
    block(wait);
    return Promise.resolve({ rows: [{ nowMs: now() }] });
  };
  const connect = () => {
    block(connectMs);
    connections += 1;
    return Promise.resolve({ query, release: () => (connections -= 1) });
  };
  return {
    db: { connect } as unknown as Pool,
    connections: () => connections,
    waitForConnections: (ms: number) => (connectMs = ms),
    now,
    step: (ms: number) => (shift += ms),
    waitBeforeAnswer: (ms: number) => (waitMs = ms),
    goAway: () => (isAway = true),
  };
}

function block(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
