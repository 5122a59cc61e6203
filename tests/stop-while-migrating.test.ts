import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { createApp } from '../src/app.ts';
import { loadConfig } from '../src/config/config.ts';
import { migrate } from '../src/database/migrate.ts';
import { query } from './database/embedded.ts';
import { copyMigrations, emptyDatabase } from './database/migrations.ts';
import { until } from './support/until.ts';

/** Alters a table that the test holds. */
const LATEST = '20261127000100_attempts_of_ends';

it('a stop while the database is being migrated waits for the migration that is under way', async () => {
  const connectionString = await emptyDatabase();
  const { migrationsDir } = await copyMigrations();
  const later = (await readdir(migrationsDir)).filter((name) => /^\d/.test(name) && name >= LATEST);
  for (const name of later) await rm(join(migrationsDir, name), { recursive: true });
  await migrate({ connectionString, migrationsDir });
  const holder = new pg.Client({ connectionString });
  await holder.connect();
  onTestFinished(() => holder.end());
  await holder.query('BEGIN; LOCK TABLE job_executions');

  const app = createApp(loadConfig({ DATABASE_URL: connectionString, PORT: '0' }));
  const starting = app.start().then(
    () => 'started',
    () => 'not started',
  );
  await until(async () => {
    const [{ waiting } = { waiting: 0 }] = (await query(
      connectionString,
      `SELECT count(*)::int AS waiting FROM pg_locks WHERE NOT granted AND relation = 'job_executions'::regclass`,
    )) as { waiting: number }[];
    return waiting === 1;
  });

  const order: string[] = [];
  const stopping = app.stop().then(() => order.push('stopped'));
  await holder.query('SELECT');
  order.push('the lock is given back');
  await holder.query('COMMIT');
  await stopping;
  expect(order).toEqual(['the lock is given back', 'stopped']);
  expect(await starting).toBe('not started');
  const unfinished = 'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NULL';
  expect(await query(connectionString, unfinished)).not.toContainEqual({ migration_name: LATEST });
  expect(await migrate({ connectionString })).toEqual({ applied: later.filter((name) => name > LATEST) });
});
