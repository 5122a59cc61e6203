import type { Pool } from 'pg';
import { allEnded, schedulesOver } from '../../acceptance/endings.ts';
import type { ApiClient } from '../api-client.ts';

/** Requests under way at once while jobs are made. */
const LANES = 8;

/** Makes so many jobs over the API; `input` may differ from one to the next. */
export async function createJobs(
  api: ApiClient,
  count: number,
  input: (index: number) => Record<string, unknown>,
): Promise<{ id: string }[]> {
  const jobs: { id: string }[] = [];
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next;
      next += 1;
      jobs[index] = await api.createJob(input(index));
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return jobs;
}

export const EVERY_SECOND = { schedule: '* * * * * *' };

/** Every second, by jobs with a limit that they never reach: their slots are planned in a transaction, none is foreseen. */
export const EVERY_SECOND_PLANNED = { ...EVERY_SECOND, maxConcurrency: 1_000 };

/** Every second: of every other job planned in a transaction, of the others foreseen. */
export function everySecond(index: number): Record<string, unknown> {
  return index % 2 === 1 ? EVERY_SECOND_PLANNED : EVERY_SECOND;
}

/**
 * Ends the schedules of all jobs with their next slot, and waits until every execution has ended. What a fault needs
 * of time differs from machine to machine, so no schedule can know its end beforehand.
 *
 * Written past the API: to the history it is the same job throughout, with all its slots to be answered for. The version
 * tells instances of the change that have foreseen the next slot.
 */
export async function endSchedules(pool: Pool): Promise<void> {
  await pool.query(
    'UPDATE jobs SET end_at = next_run_at, version = version + 1 WHERE next_run_at IS NOT NULL',
  );
  await schedulesOver(pool);
}

/**
 * The same with the last slot that is planned, for schedules whose next slot is far: it waits only for the executions
 * that there are.
 */
export async function cutSchedules(pool: Pool): Promise<void> {
  await pool.query(
    `UPDATE jobs SET end_at = next_run_at - interval '1 ms', version = version + 1 WHERE next_run_at IS NOT NULL`,
  );
  await allEnded(pool);
}

export async function executionCount(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ count: number }>('SELECT count(*)::int AS count FROM job_executions');
  return rows[0]?.count ?? 0;
}
