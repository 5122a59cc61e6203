import type { LogLevel } from '../../generated/prisma/enums.ts';
import { groupBy } from '../../domain/values/group-by.ts';
import { isFinished, type ExecutionStatus } from '../../domain/execution/execution.ts';
import type { PageRequest } from '../../domain/execution/page-request.ts';
import { pageSql } from '../statements/page-sql.ts';
import type { Queryable } from '../statements/sql.ts';

/** One line of an execution's log. */
export interface ExecutionLogLine {
  position: bigint;
  at: Date;
  level: LogLevel;
  message: string;
  attempt: number | null;
  metadata: unknown;
}

const READ_LINES = `
-- the lines after $2 and the status, in one snapshot. A line is written together with its change. So a finished
-- status here means that no more lines will follow.
SELECT e.status, l.position, l.at, l.level, l.message, l.attempt, l.metadata
FROM job_executions AS e
LEFT JOIN LATERAL (SELECT * FROM all_execution_logs WHERE execution_id = e.id AND position > $2 ORDER BY position LIMIT $3)
  AS l ON true
WHERE e.id = $1
ORDER BY l.position`;

/** A page of an execution's log. `exists` is false when the execution does not exist or was pruned. */
export async function readExecutionLogs(
  db: Queryable,
  executionId: string,
  after: bigint,
  limit: number,
): Promise<{ exists: boolean; finished: boolean; lines: ExecutionLogLine[] }> {
  type Row = { status: ExecutionStatus } & ({ position: null } | ExecutionLogLine);
  const { rows } = await db.query<Row>({
    name: 'read-execution-logs',
    text: READ_LINES,
    values: [executionId, after.toString(), limit],
  });
  const lines: ExecutionLogLine[] = [];
  for (const row of rows) {
    if (row.position === null) continue;
    const { position, at, level, message, attempt, metadata } = row;
    lines.push({ position, at, level, message, attempt, metadata });
  }
  const [first] = rows;
  return { exists: first !== undefined, finished: first !== undefined && isFinished(first.status), lines };
}

const READ_PAGES = ({ order, within }: { order: string; within: string }): string => `
-- the first lines, the last lines, or the lines at a place of each of many executions, in one statement with one
-- index look-up per execution.
SELECT execution.id AS "executionId", l.position, l.at, l.level, l.message, l.attempt, l.metadata
FROM unnest($1::uuid[]) AS execution(id), LATERAL (
  SELECT * FROM all_execution_logs WHERE execution_id = execution.id AND ${within} ORDER BY ${order} LIMIT $2
) AS l
ORDER BY ${order}`;

const LINE_COLUMNS = { position: { sql: 'position', type: 'bigint' } };

/** The requested log lines of each execution. */
export async function readLogPages(
  db: Queryable,
  executionIds: readonly string[],
  asked: PageRequest,
): Promise<Map<string, ExecutionLogLine[]>> {
  const values: unknown[] = [executionIds, asked.limit];
  const { reads } = pageSql(asked, LINE_COLUMNS, (value) => `$${values.push(value)}`);
  const { within = 'true', order = 'position' } = reads[0] ?? {};
  const isAtEnd = asked.after === null && asked.before === null;
  const { rows } = await db.query<ExecutionLogLine & { executionId: string }>({
    ...(isAtEnd && { name: `${asked.isReversed ? 'last' : 'first'}-log-lines` }),
    text: READ_PAGES({ order, within }),
    values,
  });
  return groupBy(rows, ({ executionId }) => executionId);
}
