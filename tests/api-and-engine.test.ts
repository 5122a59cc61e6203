import { request } from 'node:http';
import type { Pool } from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/config/config.ts';
import { createPool } from '../src/database/pool.ts';
import { createTestDatabase } from './support/database.ts';
import { startTarget } from './support/target-server.ts';
import { until } from './support/until.ts';

const ALIASES = 250;
/** The duration of each statement of the greedy caller. */
const SLOW_S = 0.3;

/** An app whose dead letters are slow to read but fast to write, and the test's own pool on its database. */
async function slowApp() {
  const { connectionString, drop } = await createTestDatabase();
  onTestFinished(drop);
  const pool = createPool({ connectionString, applicationName: 'test' });
  onTestFinished(() => pool.end());
  await pool.query(`ALTER TABLE failed_jobs_dlq RENAME TO dead_letters_kept;
    CREATE SEQUENCE slow_reads;
    CREATE VIEW failed_jobs_dlq AS SELECT d.* FROM (SELECT nextval('slow_reads'), pg_sleep(${SLOW_S}) AS slow OFFSET 0) AS s,
      LATERAL (SELECT * FROM dead_letters_kept WHERE s.slow IS NOT NULL OFFSET 0) AS d;
    CREATE FUNCTION keep_dead_letter() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO dead_letters_kept (execution_id, job_id, failure_reason, error_message, failed_at)
      VALUES (NEW.execution_id, NEW.job_id, NEW.failure_reason, NEW.error_message, NEW.failed_at);
      RETURN NEW;
    END $$;
    CREATE TRIGGER keep INSTEAD OF INSERT ON failed_jobs_dlq FOR EACH ROW EXECUTE FUNCTION keep_dead_letter()`);
  const app = createApp(
    loadConfig({ DATABASE_URL: connectionString, PORT: '0', DATABASE_CONNECT_TIMEOUT_MS: '2000' }),
  );
  onTestFinished(app.stop);
  const { url } = await app.start();
  return { url, pool };
}

/** Queries the API from a local address. The server distinguishes callers by address. */
function ask(url: string, from: string, query: string): { answer: Promise<string>; abort: () => void } {
  const asked = request(`${url}/graphql`, {
    method: 'POST',
    localAddress: from,
    headers: { 'content-type': 'application/json' },
  });
  const answer = new Promise<string>((resolve, reject) => {
    asked.on('error', reject);
    asked.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        resolve(text);
      });
    });
  });
  asked.end(JSON.stringify({ query }));
  return { answer, abort: () => asked.destroy() };
}

/** The most slow lists that one operation may contain. */
function greedyQuery(): string {
  const lists = Array.from(
    { length: ALIASES },
    (_, index) => `a${index}: deadLetters(first: ${(index % 90) + 1}) { nodes { id } }`,
  );
  return `{ ${lists.join(' ')} }`;
}

async function slowReadsUnderWay(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>(
    `SELECT count(*)::int FROM pg_stat_activity
     WHERE datname = current_database() AND state = 'active' AND query LIKE '%failed_jobs_dlq%' AND pid <> pg_backend_pid()`,
  );
  return rows[0]?.count ?? 0;
}

it("serves claims and another caller's query while one caller requests hundreds of slow lists", async () => {
  const { url, pool } = await slowApp();
  const target = await startTarget();
  onTestFinished(target.close);
  const greedy = ask(url, '127.0.0.1', greedyQuery());
  greedy.answer.catch(() => undefined);
  onTestFinished(greedy.abort);
  const underWay = () => slowReadsUnderWay(pool);
  await until(async () => (await underWay()) > 0);

  const since = performance.now();
  const other = await ask(url, '127.0.0.2', '{ jobs(first: 1) { nodes { id } } }').answer;
  expect(JSON.parse(other)).toEqual({ data: { jobs: { nodes: [] } } });
  const mutation = `mutation { createJob(input: { name: "beside", api: "${target.url}/beside", schedule: "* * * * * *" }) { job { id } } }`;
  expect(await ask(url, '127.0.0.2', mutation).answer).toContain('"id"');
  await until(() => target.calls.length > 1);
  expect(performance.now() - since).toBeLessThan(10_000);
  expect(await underWay()).toBeGreaterThan(0);
  expect(await underWay()).toBeLessThanOrEqual(5);
});

it('does not read queued lists after their client has left', async () => {
  const { url, pool } = await slowApp();
  const greedy = ask(url, '127.0.0.1', greedyQuery());
  greedy.answer.catch(() => undefined);
  await until(async () => (await slowReadsUnderWay(pool)) > 0);
  greedy.abort();
  await until(async () => (await slowReadsUnderWay(pool)) === 0);
  const { rows } = await pool.query<{ begun: number }>('SELECT last_value::int AS begun FROM slow_reads');
  expect(rows[0]?.begun).toBeLessThan(ALIASES / 2);
});

it('answers UNAVAILABLE for a list behind a locked table, before the statement timeout', async () => {
  const { url, pool } = await slowApp();
  const holder = await pool.connect();
  await holder.query('BEGIN; LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE');
  const { answer } = ask(url, '127.0.0.1', '{ jobs(first: 1) { nodes { id } } }');
  const { errors } = JSON.parse(await answer) as { errors: { extensions: { code: string } }[] };
  expect(errors.map(({ extensions }) => extensions.code)).toEqual(['UNAVAILABLE']);
  await holder.query('ROLLBACK');
  holder.release();
});
