import type { Queryable } from '../statements/sql.ts';

/**
 * The job of an execution, read without a lock, as it never changes: whoever locks both takes the job first. Null where
 * there is no such execution.
 */
export async function jobOfExecution(db: Queryable, executionId: string): Promise<string | null> {
  const { rows } = await db.query<{ jobId: string }>({
    name: 'job-of-execution',
    text: 'SELECT job_id AS "jobId" FROM job_executions WHERE id = $1',
    values: [executionId],
  });
  return rows[0]?.jobId ?? null;
}
