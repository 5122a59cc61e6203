import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Pool } from 'pg';
import { expect, it, onTestFinished } from 'vitest';
import { migrate } from '../../src/database/migrate.ts';
import { plus, START } from '../support/manual-clock.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { copyMigrations, emptyDatabase } from './migrations.ts';

const MIGRATION = '20261126000400_latest_ends_counted';
const HOUR_MS = 3_600_000;

it('knows of runs that were cancelled before such runs were counted', async () => {
  const connectionString = await emptyDatabase();
  const { migrationsDir } = await copyMigrations();
  await rm(join(migrationsDir, MIGRATION), { recursive: true });
  await migrate({ connectionString, migrationsDir });
  const pool = new Pool({ connectionString });
  onTestFinished(() => pool.end());
  const [jobId, other] = [await insertJob(pool), await insertJob(pool)];
  for (const bucket_at of [START, plus(START, HOUR_MS), plus(START, 2 * HOUR_MS)])
    for (const job_id of [jobId, other])
      await insertRow(pool, 'job_execution_rollups', { job_id, bucket_minutes: 60, bucket_at });
  const cancelledAt = plus(START, 1.5 * HOUR_MS);
  const ran = { started_at: START, attempt_started_at: START, attempt_count: 1, claim_seq: 1 };
  await insertExecution(pool, jobId, 'CANCELLED', { ...ran, finished_at: plus(START, 1) });
  await insertExecution(pool, jobId, 'CANCELLED', { ...ran, finished_at: cancelledAt });
  await insertExecution(pool, other, 'CANCELLED', { finished_at: cancelledAt });

  expect(await migrate({ connectionString })).toEqual({ applied: [MIGRATION] });
  const { rows } = await pool.query(
    'SELECT job_id, bucket_at, last_cancelled_at FROM job_execution_rollups WHERE last_cancelled_at IS NOT NULL',
  );
  expect(rows).toEqual([{ job_id: jobId, bucket_at: plus(START, HOUR_MS), last_cancelled_at: cancelledAt }]);
});
