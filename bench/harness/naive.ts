import { Agent } from 'node:http';
import got from 'got';
import pg from 'pg';
import { answer } from './answer.ts';
import { BODY } from './seed.ts';

/**
 * The design that is written first: each execution is claimed, called and recorded by itself, statement by statement, with
 * the same history (an attempt, two events, a log line) and the same durability as ours.
 */
export type NaiveRequest = {
  kind: 'drain';
  connectionString: string;
  url: string;
  executions: number;
  inFlight: number;
};

/** Seconds from the first claim to the last record. */
export type NaiveResult = { seconds: number };

/** What pools of connections have by default. */
const CONNECTIONS = 10;

const SCHEMA = `
CREATE TABLE executions (id bigserial PRIMARY KEY, url text NOT NULL, status text NOT NULL DEFAULT 'PENDING',
  available_at timestamptz NOT NULL DEFAULT now(), started_at timestamptz, finished_at timestamptz, response_status int);
CREATE INDEX executions_due ON executions (available_at) WHERE status = 'PENDING';
CREATE TABLE attempts (execution_id bigint REFERENCES executions, number int, finished_at timestamptz,
  response_status int, response_body text, PRIMARY KEY (execution_id, number));
CREATE TABLE events (position bigserial PRIMARY KEY, execution_id bigint, kind text, at timestamptz DEFAULT now());
CREATE TABLE logs (position bigserial PRIMARY KEY, execution_id bigint REFERENCES executions, message text)`;

const client = got.extend({
  method: 'POST',
  retry: { limit: 0 },
  throwHttpErrors: false,
  headers: { 'content-type': 'application/json' },
  body: BODY,
  agent: { http: new Agent({ keepAlive: true }) },
});

answer(async ({ connectionString, url, executions, inFlight }: NaiveRequest) => {
  const pool = new pg.Pool({ connectionString, max: CONNECTIONS });
  await pool.query(SCHEMA);
  await pool.query('INSERT INTO executions (url) SELECT $1 FROM generate_series(1, $2::int)', [
    url,
    executions,
  ]);
  await pool.query('ANALYZE executions');
  const startedMs = performance.now();
  const lane = async () => {
    for (;;) {
      const claimed = await claim(pool);
      if (claimed === null) return;
      const { statusCode, body } = await client(claimed.url);
      await record(pool, claimed.id, statusCode, body);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, lane));
  const seconds = (performance.now() - startedMs) / 1_000;
  await pool.end();
  const result: NaiveResult = { seconds };
  return result;
});

async function claim(pool: pg.Pool): Promise<{ id: string; url: string } | null> {
  return inTransaction(pool, async (tx) => {
    const { rows } = await tx.query<{ id: string; url: string }>(
      `SELECT id, url FROM executions WHERE status = 'PENDING' AND available_at <= now()
       ORDER BY available_at LIMIT 1 FOR UPDATE SKIP LOCKED`,
    );
    const [due] = rows;
    if (due === undefined) return null;
    await tx.query(`UPDATE executions SET status = 'RUNNING', started_at = now() WHERE id = $1`, [due.id]);
    await tx.query(`INSERT INTO events (execution_id, kind) VALUES ($1, 'STARTED')`, [due.id]);
    return due;
  });
}

async function record(pool: pg.Pool, id: string, status: number, body: string): Promise<void> {
  await inTransaction(pool, async (tx) => {
    await tx.query(
      `UPDATE executions SET status = 'SUCCESS', finished_at = now(), response_status = $2 WHERE id = $1`,
      [id, status],
    );
    await tx.query(`INSERT INTO attempts VALUES ($1, 1, now(), $2, $3)`, [id, status, body]);
    await tx.query(`INSERT INTO logs (execution_id, message) VALUES ($1, 'Done')`, [id]);
    await tx.query(`INSERT INTO events (execution_id, kind) VALUES ($1, 'SUCCEEDED')`, [id]);
  });
}

async function inTransaction<T>(pool: pg.Pool, work: (tx: pg.PoolClient) => Promise<T>): Promise<T> {
  const tx = await pool.connect();
  try {
    await tx.query('BEGIN');
    const result = await work(tx);
    await tx.query('COMMIT');
    return result;
  } finally {
    tx.release();
  }
}
