import type { LogLevel } from '../../generated/prisma/enums.ts';
import { logLockBehind } from '../events/append-events.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** A line for an execution's log from a command. The event log gives its position. */
export interface NewLogLine {
  executionId: string;
  at: Date;
  level: LogLevel;
  message: string;
}

const APPEND_LINES = `
-- append log lines in the order given. Takes the event log's lock, so only the events themselves may follow in the
-- transaction; see append-events for why positions are drawn under the lock.
WITH ${logLockBehind()},
line AS (
  SELECT l.* FROM ROWS FROM (jsonb_to_recordset($1::jsonb) AS (
    "executionId" uuid, at timestamptz, level log_level, message text)) WITH ORDINALITY AS l
  ORDER BY l.ordinality
)
INSERT INTO job_execution_logs (execution_id, position, at, level, message)
SELECT "executionId", nextval('event_log_position_seq'), at, level, message FROM log_lock, line`;

/**
 * Appends lines inside the caller's transaction, which must have locked the executions: under the event log's lock a
 * transaction must not wait for a row.
 */
export async function appendLogLines(tx: Queryable, lines: readonly NewLogLine[]): Promise<void> {
  if (lines.length === 0) return;
  await tx.query({ name: 'append-log-lines', text: APPEND_LINES, values: [toJsonb(lines)] });
}
