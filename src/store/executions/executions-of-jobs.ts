import type { AskedExecutions } from '../../domain/execution/page-request.ts';
import { conditionSql } from '../statements/condition-sql.ts';
import { EXECUTION_COLUMNS } from './filter-columns.ts';
import { type IdsByOwner, readIdsByOwner } from '../statements/ids-of-owners.ts';
import { type PageColumn, pageSql } from '../statements/page-sql.ts';
import type { Queryable } from '../statements/sql.ts';

const ORDER_COLUMNS: Readonly<Record<string, PageColumn>> = {
  id: { sql: 'e.id', type: 'uuid' },
  createdAt: { sql: 'e.created_at', type: 'timestamptz' },
  scheduledAt: { sql: 'e.scheduled_at', type: 'timestamptz' },
  startedAt: { sql: 'e.started_at', type: 'timestamptz' },
  finishedAt: { sql: 'e.finished_at', type: 'timestamptz' },
};

/** The indexes by these instants contain ended executions only. A second part reads the unfinished ones. */
const UNFINISHED_AND_ENDED = ['e.finished_at IS NULL', 'e.finished_at IS NOT NULL'];
const SETS: Readonly<Record<string, readonly string[]>> = {
  scheduledAt: UNFINISHED_AND_ENDED,
  startedAt: UNFINISHED_AND_ENDED,
};

/** The requested executions of each job, in the requested order. */
export function executionIdsOfJobs(
  db: Queryable,
  jobIds: readonly string[],
  asked: AskedExecutions,
): IdsByOwner {
  const values: unknown[] = [jobIds, asked.limit];
  const condition = conditionSql(asked.condition, EXECUTION_COLUMNS, values);
  const { keys, order, reads } = pageSql(asked, ORDER_COLUMNS, (value) => `$${values.push(value)}`);
  const sets = SETS[asked.order[0]?.field ?? ''] ?? ['true'];
  const parts = reads.flatMap((read) =>
    sets.map(
      (set) => `(SELECT e.id, ${keys} FROM job_executions AS e
    WHERE e.job_id = job.id AND ${set} AND ${condition} AND ${read.within} ORDER BY ${read.order} LIMIT $2)`,
    ),
  );
  return readIdsByOwner(db, {
    text: `
-- the ids of $2 executions of each of many jobs, from one end of its history or from a place in it. In the order of
-- creation this is one walk along an index per job, which skips rows outside the condition.
SELECT job.id AS owner, chosen.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT * FROM (${parts.join(' UNION ALL ')}) AS part ORDER BY ${order} LIMIT $2
) AS chosen
ORDER BY ${order}`,
    values,
  });
}
