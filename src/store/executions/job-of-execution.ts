import type { Queryable } from '../statements/sql.ts';

/**
 * The job of an execution; null when there is no such execution. It needs no lock because it never changes. A
 * transaction that locks both locks the job first.
 */
export async function jobOfExecution(db: Queryable, executionId: string): Promise<string | null> {
  const { rows } = await db.query<{ jobId: string }>({
    name: 'job-of-execution',
    text: 'SELECT job_id AS "jobId" FROM job_executions WHERE id = $1',
    values: [executionId],
  });
  return rows[0]?.jobId ?? null;
}
