import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createPool } from '../../src/database/pool.ts';
import { sessionSettings } from '../../src/database/session.ts';
import { createWakeUps, type WakeUp, type WakeUps } from '../../src/events/wakeups.ts';
import type { Queryable, Statement } from '../../src/store/statements/sql.ts';
import { useScene } from '../support/scene.ts';
import { startSilentProxy } from '../support/silent-proxy.ts';
import { until } from '../support/until.ts';

const scene = useScene();

let stops: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) await stop();
});

describe('a wake-up', () => {
  it('reaches the listeners of its kinds in its own instance at once', () => {
    const { wakeUps, rung } = partsOf('one');
    wakeUps.wake('jobs', 'events');
    expect(rung).toEqual(['jobs', 'events']);
  });

  it('reaches the same listeners in every other instance', async () => {
    const [one, other, third] = [partsOf('one'), partsOf('other'), partsOf('third')];
    await listening(one, other, third);
    one.wakeUps.wake('executions');
    await until(() => other.rung.length > 0 && third.rung.length > 0);
    expect(other.rung).toEqual(['executions']);
    expect(third.rung).toEqual(['executions']);
  });

  it('does not return to its own instance through the database', async () => {
    const [one, other] = [partsOf('one'), partsOf('other')];
    await listening(one, other);
    one.wakeUps.wake('jobs');
    other.wakeUps.wake('events');
    // The answer of the other comes after our own notification, if that came at all.
    await until(() => one.rung.includes('events'));
    expect(one.rung).toEqual(['jobs', 'events']);
  });

  it('is combined with many others into a few notifications, each kind once in each', async () => {
    const [one, other] = [partsOf('one'), partsOf('other')];
    await listening(one, other);
    for (let n = 0; n < 1_000; n += 1) one.wakeUps.wake('jobs', 'executions', 'events');
    await until(() => other.rung.includes('events'));
    await one.wakeUps.stop();
    expect(one.statements.length).toBeLessThanOrEqual(2);
    expect(one.rung).toHaveLength(3_000);
  });

  it('without a kind does not block the next one', async () => {
    const [one, other] = [partsOf('one'), partsOf('other')];
    await listening(one, other);
    one.wakeUps.wake();
    one.wakeUps.wake('jobs');
    await until(() => other.rung.includes('jobs'));
  });

  it('that cannot be sent is reported and dropped; the next one is sent', async () => {
    const [one, other] = [partsOf('one'), partsOf('other')];
    await listening(one, other);
    one.failNext();
    one.wakeUps.wake('jobs');
    await until(() => one.errors.length > 0);
    one.wakeUps.wake('events');
    await until(() => other.rung.length > 0);
    expect(other.rung).toEqual(['events']);
  });

  it('is not sent while no other instance is alive', async () => {
    const [one, other] = [partsOf('one'), partsOf('other')];
    await listening(one, other);
    one.wakeUps.noteOthers(false);
    one.wakeUps.wake('jobs');
    one.wakeUps.noteOthers(true);
    one.wakeUps.wake('events');
    await until(() => other.rung.length > 0);
    expect(other.rung).toEqual(['events']);
    expect(one.rung).toEqual(['jobs', 'events']);
  });

  it('of a kind that this version does not know is ignored', async () => {
    const one = partsOf('one');
    await listening(one);
    await scene.pool.query(`SELECT pg_notify('job_scheduler_wake_up', '')`);
    await scene.pool.query(`SELECT pg_notify('job_scheduler_wake_up', 'future-instance holidays jobs')`);
    await until(() => one.rung.length > 0);
    expect(one.rung).toEqual(['jobs']);
  });
});

describe('listening', () => {
  it('starts with a poll of everything, for earlier notifications', async () => {
    const one = partsOf('one');
    one.wakeUps.start();
    await until(() => one.rung.length > 0);
    expect(new Set(one.rung)).toEqual(new Set(['jobs', 'executions', 'events']));
  });

  it('restarts when its connection is ended, with a poll of everything', async () => {
    const [one, other] = [partsOf('one'), partsOf('other')];
    await listening(one, other);
    await scene.pool.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'job-scheduler listen'`,
    );
    await until(() => [one, other].every(({ rung }) => rung.includes('jobs')));
    expect(one.errors.length).toBeGreaterThan(0);
    await until(async () => (await listeners()) === 2);
    for (const { rung } of [one, other]) rung.length = 0;
    one.wakeUps.wake('events');
    await until(() => other.rung.length > 0);
    expect(other.rung).toEqual(['events']);
  });

  it('is retried when the first try fails', async () => {
    const one = partsOf('one', 'postgres://nobody@127.0.0.1:1/nothing');
    one.wakeUps.start();
    await until(() => one.errors.length > 0);
    await until(() => one.errors.length > 1);
    expect(one.rung).toEqual([]);
  });

  it('is retried when the database is silent while the session starts', async () => {
    const proxy = await startSilentProxy(scene.connectionString);
    stops.push(proxy.close);
    proxy.silenceAll();
    const one = partsOf('one', proxy.connectionString);
    one.wakeUps.start();
    await until(() => one.errors.length > 0);
    proxy.restore();
    await until(() => one.rung.includes('events'));
  });

  it('restarts, with a poll of everything, when its session is silent', async () => {
    const proxy = await startSilentProxy(scene.connectionString);
    stops.push(proxy.close);
    const one = partsOf('one', proxy.connectionString);
    await listening(one);
    proxy.silence();
    await until(() => one.rung.includes('events'));
    expect(one.errors).toMatchObject([{ message: 'Query read timeout' }]);
    await until(() => proxy.open === 1);
  });

  it('ends soon also on a silent session', async () => {
    const proxy = await startSilentProxy(scene.connectionString);
    stops.push(proxy.close);
    const one = partsOf('one', proxy.connectionString, { pingIntervalMs: 60_000 });
    await listening(one);
    proxy.silence();
    await one.wakeUps.stop();
    await until(() => proxy.open === 0);
  });

  it('ends with the instance in any state, and leaves no connection', async () => {
    for (let n = 0; n < 5; n += 1) {
      const one = partsOf(`instance-${n}`);
      one.wakeUps.start();
      one.wakeUps.wake('jobs');
      await one.wakeUps.stop();
      one.wakeUps.wake('jobs');
    }
    await until(async () => (await listeners()) === 0);
  });
});

type Parts = {
  wakeUps: WakeUps;
  /** The wake-ups that the listeners got, in order. */
  rung: WakeUp[];
  statements: string[];
  errors: unknown[];
  failNext: () => void;
};

function partsOf(
  instanceId: string,
  connectionString = scene.connectionString,
  { pingIntervalMs = 100 } = {},
): Parts {
  const pool = createPool({ connectionString: scene.connectionString, max: 2 });
  const statements: string[] = [];
  const errors: unknown[] = [];
  const rung: WakeUp[] = [];
  let isFailing = false;
  const query = (statement: Statement) => {
    if (isFailing) {
      isFailing = false;
      return Promise.reject(new Error('The database is away.'));
    }
    statements.push(statement.text);
    return pool.query(statement);
  };
  const db: Queryable = { query: query as Queryable['query'] };
  const wakeUps = createWakeUps({
    db,
    instanceId,
    sessionSettings: sessionSettings(0),
    connectionString,
    pingIntervalMs,
    answerTimeoutMs: 2_000,
    onError: (error) => errors.push(error),
  });
  for (const kind of ['jobs', 'executions', 'events'] as const) {
    wakeUps.on(kind, () => rung.push(kind));
  }
  stops.push(() => wakeUps.stop().then(() => pool.end()));
  return { wakeUps, rung, statements, errors, failNext: () => (isFailing = true) };
}

/** Starts them and waits until all listen. Discards the wake-ups of the start. */
async function listening(...parts: Parts[]): Promise<void> {
  for (const { wakeUps } of parts) wakeUps.start();
  await until(() => parts.every(({ rung }) => rung.includes('events')));
  for (const { rung } of parts) rung.length = 0;
}

async function listeners(): Promise<number> {
  const { rows } = await scene.pool.query(
    `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'job-scheduler listen'`,
  );
  return rows.length;
}
