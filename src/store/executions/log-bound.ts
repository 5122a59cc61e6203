import type { Queryable } from '../statements/sql.ts';

/**
 * What an execution's log may hold before its next claim ends, in bytes of messages and metadata. With the lines of
 * one more claim it stays below 60 KB.
 */
const MAX_BYTES = 40_000;
/** The lines that stay: the first ones, which say how it began, and the last ones. */
const FIRST_BYTES = 8_000;
const LAST_BYTES = 24_000;

/** The lines of fewer claims than this are within the bound, whatever they say. */
const CLAIMS_WITHIN_BOUND = 4;

const LEAVE_OUT_MIDDLE = `
-- leave out the middle lines of logs that are too long. One line in their place says how many and how long they were.
WITH line AS (
  SELECT execution_id, position, octet_length(message) + coalesce(octet_length(metadata::text), 0) AS bytes,
    (metadata ->> 'linesLeftOut')::bigint AS lines_before, (metadata ->> 'bytesLeftOut')::bigint AS bytes_before
  FROM job_execution_logs WHERE execution_id = ANY($1::uuid[])
), placed AS (
  SELECT *, sum(bytes) OVER log AS total, sum(bytes) OVER (log ORDER BY position) AS from_first,
    sum(bytes) OVER (log ORDER BY position DESC) AS from_last,
    -- Nothing is a first line again from the place on where lines were left out before.
    bool_or(lines_before IS NOT NULL) OVER (log ORDER BY position) AS is_behind_place
  FROM line WINDOW log AS (PARTITION BY execution_id)
), middle AS (
  SELECT * FROM placed WHERE total > ${MAX_BYTES} AND from_last > ${LAST_BYTES}
    AND (from_first > ${FIRST_BYTES} OR is_behind_place)
), left_out AS (
  SELECT execution_id, max(position) AS position, sum(coalesce(lines_before, 1)) AS lines,
    sum(coalesce(bytes_before, bytes)) AS bytes
  FROM middle GROUP BY execution_id
), deleted AS (
  DELETE FROM job_execution_logs AS l USING middle AS m, left_out AS o
  WHERE l.execution_id = m.execution_id AND l.position = m.position
    AND o.execution_id = m.execution_id AND m.position < o.position
)
UPDATE job_execution_logs AS l
SET level = 'INFO', attempt = NULL,
  message = format('%s lines (%s bytes) are left out here: the log of an execution is kept to 60 KB.', o.lines, o.bytes),
  metadata = jsonb_build_object('linesLeftOut', o.lines, 'bytesLeftOut', o.bytes)
FROM left_out AS o WHERE l.execution_id = o.execution_id AND l.position = o.position`;

/** Whether an execution has so many claims behind it that its log may be too long. */
export function mayHaveLongLog({ claimSeq }: { claimSeq: number }): boolean {
  return claimSeq > CLAIMS_WITHIN_BOUND;
}

/** Keeps the logs of the executions within 60 KB. Of a log that is too long, the oldest lines in the middle go. */
export async function boundLogs(db: Queryable, executionIds: readonly string[]): Promise<void> {
  if (executionIds.length === 0) return;
  await db.query({ name: 'bound-logs', text: LEAVE_OUT_MIDDLE, values: [executionIds] });
}
