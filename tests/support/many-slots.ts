import type { Pool } from 'pg';
import { createJob, type TestInstance } from './instance.ts';
import { plus, START } from './manual-clock.ts';

/** The instant on which many slots fall. */
export const SLOT = plus(START, 10_000);
/** As many as are prepared. */
export const MANY = 30;

/** Every ten seconds. */
export const SCHEDULE = '*/10 * * * * *';

type Job = Awaited<ReturnType<typeof createJob>>;

/** So many jobs whose first slot is {@link SLOT}. */
export async function createJobsOfSlot(
  instance: TestInstance,
  jobs: number,
  input: Parameters<typeof createJob>[1],
): Promise<Job[]> {
  return Promise.all(
    Array.from({ length: jobs }, () => createJob(instance, { schedule: SCHEDULE, ...input })),
  );
}

/** So many jobs that are due together, and every ten seconds from then on, written past the API; @returns their ids */
export async function insertJobsOfSlot(
  pool: Pool,
  jobs: number,
  at: Date,
  columns: Readonly<Record<string, unknown>> = {},
): Promise<string[]> {
  const row = {
    schedule: SCHEDULE,
    api: 'http://127.0.0.1:9/',
    next_run_at: at,
    created_at: at,
    updated_at: at,
  };
  const entries = Object.entries({ ...row, ...columns });
  const { rows } = await pool.query<{ id: string }>(
    `INSERT INTO jobs (id, name, ${entries.map(([name]) => name).join(', ')})
     SELECT gen_random_uuid(), 'Job ' || n, ${entries.map((_, index) => `$${index + 2}`).join(', ')}
     FROM generate_series(1, $1::int) AS n RETURNING id`,
    [jobs, ...entries.map(([, value]) => value)],
  );
  return rows.map(({ id }) => id);
}
