import type { Pool } from 'pg';

/** The request that every benchmark makes, the ceiling's included. */
export const BODY = '{"hello":"world"}';

/** Jobs without a schedule that call the target; @returns their ids */
export async function seedJobs(pool: Pool, count: number, api: string): Promise<string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `INSERT INTO jobs (id, name, api, shown_api, method, body, headers, retry_on, created_at, updated_at)
     SELECT gen_random_uuid(), 'Job ' || n, $2, $2, 'POST', $3, '{"content-type":"application/json"}', '{}', now(), now()
     FROM generate_series(1, $1) AS n RETURNING id`,
    [count, api, BODY],
  );
  return rows.map(({ id }) => id);
}

/** Executions that become due all at once, in turn of one job after the other. Their ids ascend as those of commands do. */
export async function seedBacklog(
  pool: Pool,
  jobIds: readonly string[],
  count: number,
  availableAt: Date,
): Promise<void> {
  await pool.query(
    `INSERT INTO job_executions (id, job_id, status, trigger, created_at, available_at, host)
     SELECT uuidv7(), j.id, 'PENDING', 'MANUAL', $3, $3, host_of(j.api)
     FROM generate_series(1, $2::int) AS n
     JOIN jobs AS j ON j.id = ($1::uuid[])[1 + n % cardinality($1::uuid[])]`,
    [jobIds, count, availableAt],
  );
  await pool.query('ANALYZE job_executions, jobs');
}

/**
 * Resolves when nothing waits or runs any more. Asks for the counts that are kept: to look for executions took 3 ms of the
 * database's time, a dozen times at the end of each backlog.
 */
export async function drained(pool: Pool): Promise<void> {
  for (;;) {
    const { rows } = await pool.query<{ left: number }>(
      `SELECT coalesce(sum(executions), 0)::int AS left FROM execution_counts WHERE kind IN ('PENDING', 'RUNNING', 'RETRYING')`,
    );
    if (rows[0]?.left === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/**
 * Jobs with a schedule, written past the API, whose first run is soon: who creates 100,000 jobs over the API measures
 * that instead. Planners find them at their next poll or at the earliest run that they know.
 */
export async function seedSchedules(
  pool: Pool,
  count: number,
  api: string,
  schedule: string,
  nextRunAt: Date = new Date(Math.ceil(Date.now() / 1_000 + 1) * 1_000),
): Promise<void> {
  await pool.query(
    `INSERT INTO jobs (id, name, api, shown_api, method, body, headers, retry_on, schedule, next_run_at, created_at, updated_at)
     SELECT gen_random_uuid(), 'Job ' || n, $2, $2, 'POST', $3, '{"content-type":"application/json"}', '{}', $4, $5, now(), now()
     FROM generate_series(1, $1) AS n`,
    [count, api, BODY, schedule, nextRunAt],
  );
  await pool.query('ANALYZE jobs');
  await pool.query(`SELECT pg_notify('job_scheduler_wake_up', 'bench jobs')`);
}
