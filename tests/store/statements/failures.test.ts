import { describe, expect, it } from 'vitest';
import { createPool } from '../../../src/database/pool.ts';
import { isAway, isRefused } from '../../../src/store/statements/failures.ts';
import { useScene } from '../../support/scene.ts';
import { startSilentProxy } from '../../support/silent-proxy.ts';

const scene = useScene();

function verdictOn(error: unknown): 'away' | 'refused' | 'neither' {
  if (isAway(error)) return 'away';
  return isRefused(error) ? 'refused' : 'neither';
}

/** What comes of a statement on a pool, or of a way to it, that the test has prepared. */
async function failureOf(query: Promise<unknown>): Promise<unknown> {
  return query.then(
    () => null,
    (error: unknown) => error,
  );
}

describe('a failure', () => {
  it.each([
    ['SELECT 1 / 0', 'refused'],
    ['INSERT INTO event_log_state DEFAULT VALUES', 'refused'],
    ['SELECT pg_terminate_backend(pg_backend_pid())', 'away'],
    ['SELECT FROM no_such_table', 'neither'],
    ['SET statement_timeout = 1; SELECT pg_sleep(10)', 'neither'],
    ["DO $$BEGIN RAISE 'no'; END$$", 'neither'],
    ["DO $$BEGIN RAISE SQLSTATE '53100'; END$$", 'away'],
    ['SET TRANSACTION READ ONLY; UPDATE event_log_state SET epoch = epoch', 'away'],
  ])('of %s is told from others: %s', async (text, verdict) => {
    expect(verdictOn(await failureOf(scene.pool.query(text)))).toBe(verdict);
  });

  it('of whatever keeps a connection from being made, or breaks it, is the absence of the database', async () => {
    const proxy = await startSilentProxy(scene.connectionString);
    const options = { connectTimeoutMs: 200, answerTimeoutMs: 200, max: 1 };
    const pool = createPool({ ...options, connectionString: proxy.connectionString });
    const refused = createPool({ ...options, connectionString: 'postgresql://nobody@127.0.0.1:1/none' });
    const url = new URL(scene.connectionString);
    url.pathname = '/no_such_database';
    const gone = createPool({ ...options, connectionString: url.href, connectTimeoutMs: 5_000 });
    const held = await pool.connect();
    const failures = [await failureOf(pool.query('SELECT 1'))];
    held.release();
    proxy.silence();
    failures.push(await failureOf(pool.query('SELECT 1')));
    proxy.silenceAll();
    failures.push(await failureOf(pool.query('SELECT 1')));
    failures.push(await failureOf(refused.query('SELECT 1')), await failureOf(gone.query('SELECT 1')));
    await Promise.all([pool.end(), refused.end(), gone.end(), proxy.close()]);
    failures.push(await failureOf(pool.query('SELECT 1')));
    expect(failures.map(verdictOn)).toEqual(Array(6).fill('away'));
  });

  it('of the program itself is neither', () => {
    expect(verdictOn(new TypeError('undefined is not a function'))).toBe('neither');
    expect(verdictOn(Object.assign(new TypeError('wrong'), { code: 'ERR_INVALID_ARG_TYPE' }))).toBe(
      'neither',
    );
    expect(verdictOn('a string')).toBe('neither');
  });
});
