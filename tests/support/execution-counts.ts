import type { Pool } from 'pg';

/** Kinds whose kept count is not what the tables hold; empty in every state that the database can be in. */
export async function wrongCounts(pool: Pool): Promise<{ kind: string; kept: number; held: number }[]> {
  const { rows } = await pool.query<{ kind: string; kept: number; held: number }>(`
    SELECT kind, coalesce(sum(kept), 0)::int AS kept, coalesce(sum(held), 0)::int AS held FROM (
      SELECT kind, executions AS kept, 0 AS held FROM execution_counts
      UNION ALL SELECT 'ALL', 0, 1 FROM job_executions
      UNION ALL SELECT status::text, 0, 1 FROM job_executions WHERE finished_at IS NULL
      UNION ALL SELECT 'OPEN_DEAD_LETTER', 0, 1 FROM failed_jobs_dlq WHERE redriven_at IS NULL AND discarded_at IS NULL
    ) AS counted GROUP BY 1 HAVING sum(kept) <> sum(held)`);
  return rows;
}
