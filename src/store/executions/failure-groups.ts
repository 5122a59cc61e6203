import type { Condition } from '../../domain/values/condition.ts';
import type { ExecutionField } from '../../domain/execution/filter-fields.ts';
import type { AskedFailures, FailureGroup } from '../../domain/metrics/metrics.ts';
import { conditionSql } from '../statements/condition-sql.ts';
import { nullIfTooSlow } from '../statements/failures.ts';
import { EXECUTION_COLUMNS } from './filter-columns.ts';
import type { Queryable } from '../statements/sql.ts';

/**
 * Groups failed executions by job, reason and status, the largest group first. It reads the open and closed dead
 * letters of the time. Every failure has one, and there are far fewer of them than executions.
 *
 * @returns null when it took longer than a statement may
 */
export async function readFailureGroups(
  db: Queryable,
  { since, openDeadLettersOnly, limit }: AskedFailures,
  condition: Condition<ExecutionField>,
): Promise<FailureGroup[] | null> {
  const values: unknown[] = [since, limit];
  const isAsked = `${conditionSql(condition, EXECUTION_COLUMNS, values)}
    ${openDeadLettersOnly ? 'AND d.redriven_at IS NULL AND d.discarded_at IS NULL' : ''}`;
  const result = await nullIfTooSlow(
    db.query<FailureGroup & Record<string, unknown>>({
      text: `
-- group failures since $1, and return the $2 largest groups, each with its latest execution.
WITH failure_group AS MATERIALIZED (
  SELECT d.job_id, d.failure_reason, e.response_status, count(*)::int AS count, min(d.failed_at) AS first_at,
    max(d.failed_at) AS last_at
  FROM failed_jobs_dlq AS d JOIN job_executions AS e ON e.id = d.execution_id
  WHERE d.failed_at >= $1 AND ${isAsked}
  GROUP BY 1, 2, 3
  ORDER BY count DESC, last_at DESC, 1, 2, 3
  LIMIT $2
)
SELECT g.job_id AS "jobId", g.failure_reason AS "failureReason", g.response_status AS "responseStatus", g.count,
  g.first_at AS "firstAt", g.last_at AS "lastAt", latest.id AS "sampleId"
FROM failure_group AS g, LATERAL (
  SELECT e.id FROM failed_jobs_dlq AS d JOIN job_executions AS e ON e.id = d.execution_id
  WHERE d.job_id = g.job_id AND d.failed_at = g.last_at AND d.failure_reason = g.failure_reason
    AND e.response_status IS NOT DISTINCT FROM g.response_status AND ${isAsked}
  ORDER BY e.id LIMIT 1
) AS latest
ORDER BY g.count DESC, g.last_at DESC, 1, 2, 3`,
      values,
    }),
  );
  return result?.rows ?? null;
}
