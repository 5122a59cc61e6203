import type { Pool } from 'pg';

/** So many jobs that are due together, and every ten seconds from then on; @returns their ids */
export async function insertBurst(
  pool: Pool,
  jobs: number,
  at: Date,
  columns: Readonly<Record<string, unknown>> = {},
): Promise<string[]> {
  const row = {
    schedule: '*/10 * * * * *',
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
