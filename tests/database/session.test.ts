import { expect, it, onTestFinished } from 'vitest';
import { migrate } from '../../src/database/migrate.ts';
import { createPool } from '../../src/database/pool.ts';
import { createWakeUps } from '../../src/events/wakeups.ts';
import { sessionSettings } from '../../src/database/session.ts';
import { until } from '../support/until.ts';
import { query } from './embedded.ts';
import { emptyDatabase } from './migrations.ts';

/** Each one would fail statements, lose sessions or change the meaning of values. */
const HOSTILE: Readonly<Record<string, string>> = {
  default_transaction_isolation: 'serializable',
  default_transaction_deferrable: 'on',
  search_path: 'elsewhere',
  lock_timeout: '1ms',
  idle_in_transaction_session_timeout: '1ms',
  idle_session_timeout: '50ms',
  transaction_timeout: '50ms',
  statement_timeout: '50ms',
  TimeZone: 'America/New_York',
  DateStyle: 'German',
  IntervalStyle: 'sql_standard',
  bytea_output: 'escape',
  extra_float_digits: '0',
  array_nulls: 'off',
};

/** A database whose sessions get other settings. Settings that this server does not know are left out. */
async function hostileDatabase(change = (name: string) => `DATABASE ${name}`): Promise<string> {
  const connectionString = await emptyDatabase();
  const database = new URL(connectionString).pathname.slice(1);
  const known = (await query(connectionString, 'SELECT name FROM pg_settings')) as { name: string }[];
  const names = new Set(known.map(({ name }) => name));
  const changes = Object.entries(HOSTILE)
    .filter(([name]) => names.has(name))
    .map(([name, value]) => `ALTER ${change(database)} SET ${name} = '${value}'`);
  await query(connectionString, changes.join(';'));
  return connectionString;
}

it('every connection of a pool has our settings, whatever the database gives its sessions', async () => {
  const pool = createPool({ connectionString: await hostileDatabase(), statementTimeoutMs: 7_000 });
  onTestFinished(() => pool.end());
  const { rows } = await pool.query<{ name: string; setting: string }>(
    `SELECT name, setting FROM pg_settings WHERE name = ANY ($1) AND name <> 'transaction_timeout' ORDER BY name`,
    [Object.keys(HOSTILE)],
  );
  expect(Object.fromEntries(rows.map(({ name, setting }) => [name, setting]))).toEqual({
    array_nulls: 'on',
    bytea_output: 'hex',
    DateStyle: 'ISO, MDY',
    default_transaction_deferrable: 'off',
    default_transaction_isolation: 'read committed',
    extra_float_digits: '1',
    idle_in_transaction_session_timeout: '60000',
    idle_session_timeout: '0',
    IntervalStyle: 'postgres',
    lock_timeout: '0',
    search_path: 'public',
    statement_timeout: '7000',
    TimeZone: 'UTC',
  });
});

it('a role’s settings for one database, the strongest kind, do not reach a pool either', async () => {
  const connectionString = await hostileDatabase((database) => `ROLE CURRENT_USER IN DATABASE ${database}`);
  const pool = createPool({ connectionString });
  onTestFinished(() => pool.end());
  const { rows } = await pool.query(`SELECT current_setting('default_transaction_isolation') AS isolation`);
  expect(rows).toEqual([{ isolation: 'read committed' }]);
});

it('migrates a database that gives its sessions other settings', async () => {
  const connectionString = await hostileDatabase();
  await migrate({ connectionString });
  const pool = createPool({ connectionString });
  onTestFinished(() => pool.end());
  expect((await pool.query('SELECT count(*)::int AS jobs FROM public.jobs')).rows).toEqual([{ jobs: 0 }]);
});

it('a listening session outlives the limit that the database sets for idle ones', async () => {
  const connectionString = await hostileDatabase();
  const pool = createPool({ connectionString });
  onTestFinished(() => pool.end());
  const errors: unknown[] = [];
  const woken: string[] = [];
  const wakeUps = createWakeUps({
    db: pool,
    instanceId: 'listener',
    connectionString,
    sessionSettings: sessionSettings(0),
    onError: (error) => errors.push(error),
  });
  onTestFinished(wakeUps.stop);
  wakeUps.on('jobs', () => woken.push('jobs'));
  wakeUps.start();
  await until(() => woken.length === 1);
  await pool.query('SELECT pg_sleep(0.2)');
  await pool.query(`SELECT pg_notify('job_scheduler_wake_up', 'other jobs')`);
  await until(() => woken.length === 2);
  expect(errors).toEqual([]);
});
