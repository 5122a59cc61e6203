import type { LogLevel } from '../../generated/prisma/enums.ts';
import { groupBy } from '../../domain/values/group-by.ts';
import { isFinished, type ExecutionStatus } from '../../domain/execution/execution.ts';
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
-- the lines behind $2 together with the status, in one snapshot: lines are written with the change that they tell of,
-- so a finished status seen here means that no line will follow these.
SELECT e.status, l.position, l.at, l.level, l.message, l.attempt, l.metadata
FROM job_executions AS e
LEFT JOIN LATERAL (SELECT * FROM all_execution_logs WHERE execution_id = e.id AND position > $2 ORDER BY position LIMIT $3)
  AS l ON true
WHERE e.id = $1
ORDER BY l.position`;

/** A page of an execution's log. `exists` is false where the execution is not (or no longer) known. */
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

const readEnds = (direction: 'ASC' | 'DESC'): string => `
-- the first lines, or the last, of each of many executions, in one statement: one look into an index per execution.
SELECT execution.id AS "executionId", l.position, l.at, l.level, l.message, l.attempt, l.metadata
FROM unnest($1::uuid[]) AS execution(id), LATERAL (
  SELECT * FROM all_execution_logs WHERE execution_id = execution.id ORDER BY position ${direction} LIMIT $2
) AS l
ORDER BY l.position ${direction}`;

/** Per execution the first lines of its log, or the last ones with the last of them first; at most `limit` of each. */
export async function readLogEnds(
  db: Queryable,
  executionIds: readonly string[],
  limit: number,
  from: 'start' | 'end',
): Promise<Map<string, ExecutionLogLine[]>> {
  const direction = from === 'start' ? 'ASC' : 'DESC';
  const { rows } = await db.query<ExecutionLogLine & { executionId: string }>({
    name: `log-ends-${direction}`,
    text: readEnds(direction),
    values: [executionIds, limit],
  });
  return groupBy(rows, ({ executionId }) => executionId);
}
