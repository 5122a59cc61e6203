import type { ConcurrencyLoad } from '../../domain/job/concurrency.ts';
import type { Queryable } from '../statements/sql.ts';

const LOADS = `
-- the unfinished executions of these jobs. It needs its own statement after the lock: the locking statement's
-- snapshot may be older than the commit of the transaction that held the jobs before.
SELECT job_id AS "jobId", count(*) FILTER (WHERE status = 'RUNNING')::int AS running,
  count(*) FILTER (WHERE status IN ('PENDING', 'RETRYING'))::int AS waiting,
  count(*) FILTER (WHERE status = 'BLOCKED')::int AS blocked, count(*) FILTER (WHERE trigger = 'REDRIVE')::int AS redriven,
  count(*) FILTER (WHERE trigger = 'CATCH_UP' AND status = 'PENDING' AND started_at IS NULL)::int AS "catchUps"
FROM job_executions
WHERE job_id = ANY($1::uuid[]) AND finished_at IS NULL
GROUP BY job_id`;

/** The unfinished executions of jobs that the transaction holds locked; a job without any is missing. */
export async function readLoads(
  tx: Queryable,
  jobIds: readonly string[],
): Promise<Map<string, ConcurrencyLoad>> {
  if (jobIds.length === 0) return new Map();
  const { rows } = await tx.query<ConcurrencyLoad & { jobId: string }>({
    name: 'concurrency-loads',
    text: LOADS,
    values: [jobIds],
  });
  return new Map(rows.map(({ jobId, ...load }) => [jobId, load]));
}
