import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { PrismaPg } from '@prisma/adapter-pg';
import { createPool, type PoolOptions } from '../../src/database/pool.ts';
import { PrismaClient } from '../../src/generated/prisma/client.ts';
import { startSilentProxy } from '../support/silent-proxy.ts';
import { until } from '../support/until.ts';
import { query } from './embedded.ts';
import { emptyDatabase } from './migrations.ts';

function poolOn(connectionString: string, options: Partial<PoolOptions> = {}) {
  const pool = createPool({ connectionString, ...options });
  onTestFinished(() => pool.end());
  return pool;
}

it('reads instants as Dates, int8 as bigints and numerics as strings', async () => {
  const pool = poolOn(await emptyDatabase());
  const { rows } = await pool.query(
    `SELECT timestamptz '2026-03-29T02:30:00.123+02' AS instant, 9007199254740993 AS large, 7::int AS small, 1.50 AS exact`,
  );
  expect(rows).toEqual([
    { instant: new Date('2026-03-29T00:30:00.123Z'), large: 9007199254740993n, small: 7, exact: '1.50' },
  ]);
});

it('survives the loss of its connections', async () => {
  const connectionString = await emptyDatabase();
  const log: string[] = [];
  const errors: object[] = [];
  const pool = poolOn(connectionString, {
    applicationName: 'pool under test',
    log: (message, fields) => {
      log.push(message);
      errors.push(fields?.['error'] as object);
    },
  });
  await pool.query('SELECT 1');
  await query(
    connectionString,
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pool under test'",
  );
  await until(() => log.includes('an idle database connection was lost'));
  expect(errors.map(Object.keys).flat()).toContain('code');
  expect(errors.map(Object.keys).flat()).not.toContain('client');
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

it('survives the loss of a connection that a caller holds and does not use at that moment', async () => {
  const pool = poolOn(await emptyDatabase());
  const client = await pool.connect();
  const ended = new Promise((resolve) =>
    client.once('end', () => {
      resolve(null);
    }),
  );
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  await pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
  await ended;
  await expect(client.query('SELECT 1')).rejects.toThrow('not queryable');
  client.release();
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

it('opens no more connections than its limit; further queries wait', async () => {
  const pool = poolOn(await emptyDatabase(), { max: 1, connectTimeoutMs: 20_000 });
  const client = await pool.connect();
  const waiting = pool.query('SELECT 1 AS one');
  expect([pool.totalCount, pool.waitingCount]).toEqual([1, 1]);
  client.release();
  expect((await waiting).rows).toEqual([{ one: 1 }]);
});

it('gives up a server that accepts and never answers', async () => {
  const silent = createServer((socket) => socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  onTestFinished(() => void silent.close());
  await once(silent, 'listening');
  const { port } = silent.address() as AddressInfo;
  const pool = poolOn(`postgresql://127.0.0.1:${port}/none`, { connectTimeoutMs: 50 });
  await expect(pool.query('SELECT 1')).rejects.toThrow('timeout');
});

it('uses UTC in a database with another time zone, so Prisma reads instants unchanged', async () => {
  const connectionString = await emptyDatabase();
  const name = new URL(connectionString).pathname.slice(1);
  await query(connectionString, `ALTER DATABASE ${name} SET TimeZone TO 'America/New_York'`);
  const prisma = new PrismaClient({ adapter: new PrismaPg(poolOn(connectionString)) });
  const rows = await prisma.$queryRaw`SELECT timestamptz '2026-03-29T12:00:00Z' AS instant`;
  expect(rows).toEqual([{ instant: new Date('2026-03-29T12:00:00Z') }]);
});

it('lets the server end a statement that takes too long', async () => {
  const pool = poolOn(await emptyDatabase(), { statementTimeoutMs: 100 });
  await expect(pool.query('SELECT pg_sleep(60)')).rejects.toMatchObject({ code: '57014' });
});

it('gives up a silent connection, and never uses it again', async () => {
  const { pool, proxy } = await poolThroughProxy({ max: 1 });
  await pool.query('SELECT 1');
  proxy.silence();
  await expect(pool.query('SELECT 1')).rejects.toThrow('timeout');
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  await until(() => proxy.open === 1);
});

it('also closes those that have been idle since before, and keeps those that have answered since', async () => {
  const { pool, proxy, log } = await poolThroughProxy({ max: 4 });
  const silent = await Promise.all([1, 2, 3].map(() => pool.connect()));
  proxy.silence();
  const answering = await pool.connect();
  for (const client of silent) client.release();
  const unanswered = pool.query('SELECT 1');
  await answering.query('SELECT 1');
  answering.release();
  await expect(unanswered).rejects.toThrow('timeout');
  await until(() => pool.totalCount === 1 && proxy.open === 1);
  expect(log).toEqual(Array(2).fill('an idle database connection was lost'));
  expect((await pool.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
});

async function poolThroughProxy(options: Partial<PoolOptions>) {
  const proxy = await startSilentProxy(await emptyDatabase());
  onTestFinished(proxy.close);
  const log: string[] = [];
  const pool = poolOn(proxy.connectionString, {
    ...options,
    answerTimeoutMs: 300,
    log: (message) => log.push(message),
  });
  return { pool, proxy, log };
}
