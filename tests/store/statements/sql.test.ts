import type { PoolClient } from 'pg';
import { describe, expect, it } from 'vitest';
import { createPool } from '../../../src/database/pool.ts';
import {
  inPatientTransaction,
  inTransaction,
  openTransaction,
  toJsonb,
  type Queryable,
} from '../../../src/store/statements/sql.ts';
import { count, insertJob } from '../../support/rows.ts';
import { useScene } from '../../support/scene.ts';
import { startSilentProxy } from '../../support/silent-proxy.ts';
import { until } from '../../support/until.ts';

const scene = useScene();
const STANDSTILL = 'idle_in_transaction_session_timeout';

describe('a transaction', () => {
  it('is committed when its work resolves', async () => {
    await inTransaction(scene.pool, async (tx) => {
      await insertJob(scene.pool);
      await tx.query('UPDATE jobs SET priority = 3');
    });
    expect(await count(scene.pool, 'jobs WHERE priority = 3')).toBe(1);
  });

  it('is rolled back when its work throws, which goes on to the caller', async () => {
    await insertJob(scene.pool);
    const work = inTransaction(scene.pool, async (tx) => {
      await tx.query('UPDATE jobs SET priority = 3');
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(await count(scene.pool, 'jobs WHERE priority = 3')).toBe(0);
  });

  it('may not stand still for longer than ten seconds', async () => {
    const pool = onePool();
    const limit = async (db: Queryable) => (await db.query({ text: `SHOW ${STANDSTILL}` })).rows;
    expect(await inTransaction(pool, limit)).toEqual([{ [STANDSTILL]: '10s' }]);
    expect(await limit(pool)).toEqual([{ [STANDSTILL]: '1min' }]);
    await pool.end();
  });

  it('leaves its connection usable after a statement that failed', async () => {
    const pool = onePool();
    await expect(inTransaction(pool, (tx) => tx.query('SELECT 1 / 0'))).rejects.toThrow('division by zero');
    expect(await inTransaction(pool, async (tx) => (await tx.query('SELECT 1')).rowCount)).toBe(1);
    expect(pool.totalCount).toBe(1);
    await pool.end();
  });

  it('fails when its connection dies while it does something else, and takes nothing with it', async () => {
    const pool = onePool();
    const work = inTransaction(pool, async (tx) => {
      const ended = new Promise((resolve) => tx.once('end', resolve));
      await terminate(tx);
      await ended;
      await tx.query('SELECT 1');
    });
    await expect(work).rejects.toThrow();
    expect((await pool.query('SELECT 1')).rowCount).toBe(1);
    await pool.end();
  });

  it('fails when its connection dies in the middle of a statement, and takes nothing with it', async () => {
    const pool = onePool();
    const work = inTransaction(pool, async (tx) => {
      const sleeping = tx.query('SELECT pg_sleep(60)');
      await Promise.all([sleeping, terminate(tx)]);
    });
    await expect(work).rejects.toThrow('terminating connection');
    expect((await pool.query('SELECT 1')).rowCount).toBe(1);
    await pool.end();
  });
});

describe('a transaction that is open', () => {
  it('is to be seen by nobody until it is committed, and not at all once it is rolled back', async () => {
    const pool = onePool();
    const kept = await openTransaction(pool);
    await kept.tx.query('CREATE TABLE kept ()');
    expect(await tables('kept')).toBe(0);
    await kept.commit();
    const given = await openTransaction(pool);
    await given.tx.query('CREATE TABLE given_up ()');
    await given.rollback();
    expect([await tables('kept'), await tables('given_up')]).toEqual([1, 0]);
    expect(pool.idleCount).toBe(1);
    await scene.pool.query('DROP TABLE kept');
    await pool.end();
  });

  it('is ended by the database where it stands still for longer than it may', async () => {
    const pool = onePool();
    const { tx, rollback } = await openTransaction(pool, 50);
    await new Promise((resolve) => tx.once('error', resolve));
    await expect(tx.query('SELECT 1')).rejects.toThrow();
    await rollback();
    expect(pool.totalCount).toBe(0);
    await pool.end();
  });

  const tables = (name: string) => count(scene.pool, `pg_tables WHERE tablename = '${name}'`);
});

describe('a transaction whose connection has fallen silent', () => {
  it('fails after the time of one answer, whatever it would have to wait for, and gives up the connection', async () => {
    const proxy = await startSilentProxy(scene.connectionString);
    const pool = createPool({ connectionString: proxy.connectionString, max: 1, answerTimeoutMs: 1_000 });
    let askedMs = 0;
    const work = inTransaction(pool, async (tx) => {
      proxy.silence();
      askedMs = performance.now();
      await tx.query('SELECT 1');
    });
    await expect(work).rejects.toThrow('timeout');
    expect(performance.now() - askedMs).toBeLessThan(1_900);
    expect(await inTransaction(pool, async (tx) => (await tx.query('SELECT 1')).rowCount)).toBe(1);
    await until(() => proxy.open === 1);
    await pool.end();
    await proxy.close();
  });
});

describe('a patient transaction', () => {
  it('may take longer than others at the server, and waits longer for its answers', async () => {
    const pool = createPool({
      connectionString: scene.connectionString,
      max: 1,
      statementTimeoutMs: 50,
      answerTimeoutMs: 1_000,
    });
    const sleep = { text: 'SELECT pg_sleep(1.2)' };
    await expect(inTransaction(pool, (tx) => tx.query(sleep))).rejects.toMatchObject({ code: '57014' });
    expect(await inPatientTransaction(pool, 10_000, async (tx) => (await tx.query(sleep)).rowCount)).toBe(1);
    await expect(pool.query(sleep)).rejects.toMatchObject({ code: '57014' });
    await pool.end();
  });
});

describe('a value as JSON text', () => {
  it.each([
    ['NUL characters', { text: 'a\0b' }, { text: 'a\uFFFDb' }],
    ['halves of surrogate pairs', ['\uD800', 'x\uDC00y'], ['\uFFFD', 'x\uFFFDy']],
    ['whole surrogate pairs, kept', '😀', '😀'],
  ])('is one that jsonb accepts: %s', async (_what, value, stored) => {
    const { rows } = await scene.pool.query<{ value: unknown }>('SELECT $1::jsonb AS value', [
      toJsonb(value),
    ]);
    expect(rows[0]?.value).toEqual(stored);
  });
});

function onePool() {
  return createPool({ connectionString: scene.connectionString, max: 1 });
}

async function terminate(tx: PoolClient): Promise<void> {
  const { processID } = tx as PoolClient & { processID: number };
  await scene.pool.query('SELECT pg_terminate_backend($1)', [processID]);
}
