import type { AskedExecutions } from '../../domain/execution/page-request.ts';
import { conditionSql } from '../statements/condition-sql.ts';
import { EXECUTION_COLUMNS } from './filter-columns.ts';
import { directionFrom, type IdsByOwner, readIdsByOwner } from '../statements/ids-of-owners.ts';
import type { Queryable } from '../statements/sql.ts';

/** Per job the executions that are asked for, in the order of their creation from the end that is named. */
export function executionIdsOfJobs(
  db: Queryable,
  jobIds: readonly string[],
  { condition, from, limit }: AskedExecutions,
): IdsByOwner {
  const values: unknown[] = [jobIds, limit];
  const direction = directionFrom(from);
  return readIdsByOwner(db, {
    text: `
-- the ids of $2 executions of each of many jobs, from one end of its history, in one statement: one walk along an index per
-- job, past what the condition does not select.
SELECT job.id AS owner, chosen.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT e.id, e.created_at FROM job_executions AS e
  WHERE e.job_id = job.id AND ${conditionSql(condition, EXECUTION_COLUMNS, values)}
  ORDER BY e.created_at ${direction}, e.id ${direction} LIMIT $2
) AS chosen
ORDER BY chosen.created_at ${direction}, chosen.id ${direction}`,
    values,
  });
}
