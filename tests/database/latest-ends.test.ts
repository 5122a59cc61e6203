import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Pool } from 'pg';
import { beforeEach, expect, it, onTestFinished } from 'vitest';
import { migrate } from '../../src/database/migrate.ts';
import { plus, START } from '../support/manual-clock.ts';
import { insertExecution, insertJob, insertRow } from '../support/rows.ts';
import { until } from '../support/until.ts';
import { copyMigrations, emptyDatabase } from './migrations.ts';

const MIGRATIONS = [
  '20261126000400_latest_cancelled_runs',
  '20261126000500_latest_cancelled_runs_of_old',
  '20261126000600_no_index_of_ends',
];
const HOUR_MS = 3_600_000;
const RAN = { started_at: START, attempt_started_at: START, attempt_count: 1, claim_seq: 1 };

let connectionString: string;
let pool: Pool;

beforeEach(async () => {
  connectionString = await emptyDatabase();
  const { migrationsDir } = await copyMigrations();
  for (const name of MIGRATIONS) await rm(join(migrationsDir, name), { recursive: true });
  await migrate({ connectionString, migrationsDir });
  pool = new Pool({ connectionString });
  onTestFinished(() => pool.end());
});

async function insertJobWithCounts(): Promise<string> {
  const job_id = await insertJob(pool);
  for (const bucket_at of [START, plus(START, HOUR_MS), plus(START, 2 * HOUR_MS)])
    await insertRow(pool, 'job_execution_rollups', { job_id, bucket_minutes: 60, bucket_at });
  return job_id;
}

it('the latest cancelled run of each job is known, also from before such runs were counted', async () => {
  const [jobId, other] = [await insertJobWithCounts(), await insertJobWithCounts()];
  const cancelledAt = plus(START, 1.5 * HOUR_MS);
  await insertExecution(pool, jobId, 'CANCELLED', { ...RAN, finished_at: plus(START, 1) });
  await insertExecution(pool, jobId, 'CANCELLED', { ...RAN, finished_at: cancelledAt });
  await insertExecution(pool, other, 'CANCELLED', { finished_at: cancelledAt });

  expect(await migrate({ connectionString })).toEqual({ applied: MIGRATIONS });
  const { rows } = await pool.query(
    'SELECT job_id, bucket_at, last_cancelled_at FROM job_execution_rollups WHERE last_cancelled_at IS NOT NULL',
  );
  expect(rows).toEqual([{ job_id: jobId, bucket_at: plus(START, HOUR_MS), last_cancelled_at: cancelledAt }]);
});

it('the migration waits for an instance that records an end, without a deadlock', async () => {
  const jobId = await insertJobWithCounts();
  const id = await insertExecution(pool, jobId, 'RUNNING');
  const recording = await pool.connect();
  await recording.query('BEGIN');
  await recording.query('SELECT FROM job_executions WHERE id = $1 FOR NO KEY UPDATE', [id]);

  const migrating = migrate({ connectionString });
  await until(async () => {
    const { rowCount } = await pool.query(
      `SELECT FROM pg_locks WHERE NOT granted AND relation = 'job_executions'::regclass`,
    );
    return rowCount === 1;
  });
  await recording.query('UPDATE job_execution_rollups SET success_count = 1 WHERE job_id = $1', [jobId]);
  await recording.query('COMMIT');
  recording.release();
  expect(await migrating).toEqual({ applied: MIGRATIONS });
});
