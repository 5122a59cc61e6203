import { groupBy } from '../../domain/values/group-by.ts';
import { type GateEdge, unmetDependency } from '../../domain/workflow/dependency.ts';
import type { Queryable } from '../statements/sql.ts';

const READ_GATES = `
-- the edges of jobs with slots, and the end of each upstream's latest run, also when its execution is pruned. The
-- ends come from the counts, of which a job has about two hundred rows at most. If two runs end in the same
-- millisecond, the worse end counts.
-- An execution that was skipped, or cancelled before its start, is not a run and does not count.
SELECT d.job_id AS "jobId", d.depends_on_id AS "dependsOnId", d.condition, u.name AS "dependsOnName",
  latest.status AS "latestEnd"
FROM job_dependencies AS d
JOIN jobs AS u ON u.id = d.depends_on_id
CROSS JOIN LATERAL (
  SELECT max(last_failure_at) AS failed_at, max(last_cancelled_at) AS cancelled_at, max(last_success_at) AS succeeded_at
  FROM job_execution_rollups WHERE job_id = d.depends_on_id
) AS ends
LEFT JOIN LATERAL (
  SELECT status FROM (
    VALUES (1, 'FAILED', failed_at), (2, 'CANCELLED', cancelled_at), (3, 'SUCCESS', succeeded_at)
  ) AS run(worst_first, status, at)
  WHERE at IS NOT NULL
  ORDER BY at DESC, worst_first LIMIT 1
) AS latest ON true
WHERE d.job_id = ANY($1::uuid[])
ORDER BY d.created_at, d.id`;

/**
 * Why jobs with slots may not fire now, as a sentence by job id. A job that may fire is missing.
 *
 * @param jobIds jobs that the transaction has locked, so their edges cannot change
 */
export async function readUnmetDependencies(
  tx: Queryable,
  jobIds: readonly string[],
): Promise<Map<string, string>> {
  const unmet = new Map<string, string>();
  if (jobIds.length === 0) return unmet;
  const { rows } = await tx.query<GateEdge & Record<string, unknown>>({
    name: 'read-gates',
    text: READ_GATES,
    values: [jobIds],
  });
  for (const [jobId, edges] of groupBy(rows, (row) => row.jobId)) {
    const why = unmetDependency(edges);
    if (why !== null) unmet.set(jobId, why);
  }
  return unmet;
}
