import type { ExecutionFacts } from '../../domain/alert/alert-notice.ts';
import type { Queryable } from '../statements/sql.ts';

/** An execution that one alert has reported or will report as late. */
export interface LateMark {
  alertId: string;
  executionId: string;
}

/** An execution that has not started although it should have. */
export interface OverdueExecution extends LateMark {
  jobId: string;
  facts: ExecutionFacts;
}

/** Waiting executions of slots that alerts watch and have not reported. */
const WATCHED = `
FROM job_alerts AS a
JOIN job_executions AS e ON e.job_id = a.job_id
WHERE a.enabled AND 'LATE' = ANY (a.events)
  AND e.finished_at IS NULL AND e.started_at IS NULL AND e.status IN ('PENDING', 'BLOCKED')
  AND e.trigger IN ('SCHEDULE', 'CATCH_UP')
  AND NOT EXISTS (SELECT FROM job_alert_late_executions AS l WHERE l.alert_id = a.id AND l.execution_id = e.id)`;

const LATE_AT = `e.scheduled_at + a.lateness_threshold_ms * interval '1 ms'`;

/**
 * When the next waiting execution becomes late for an alert that has not reported it. The instant is in the past when
 * one is late already, and null when none waits. The statement has no name: the best plan depends on how many
 * executions wait and how many alerts watch.
 */
export async function nextLateAt(tx: Queryable): Promise<Date | null> {
  const { rows } = await tx.query<{ lateAt: Date | null }>({
    text: `SELECT min(${LATE_AT}) AS "lateAt" ${WATCHED}`,
  });
  return rows[0]?.lateAt ?? null;
}

/** Executions that are late at `now` and have not started, earliest first, with the alerts that must report them. */
export async function findOverdue(tx: Queryable, now: Date, limit: number): Promise<OverdueExecution[]> {
  type Row = Omit<ExecutionFacts, 'executionId'> & LateMark & { jobId: string };
  const { rows } = await tx.query<Row & Record<string, unknown>>({
    text: `SELECT a.id AS "alertId", e.id AS "executionId", e.job_id AS "jobId", e.status, e.trigger,
  e.scheduled_at AS "scheduledAt", e.started_at AS "startedAt", e.finished_at AS "finishedAt",
  e.duration_ms AS "durationMs", e.lateness_ms AS "latenessMs", e.attempt_count AS attempt,
  e.failure_reason AS "failureReason", e.skip_reason AS "skipReason", e.response_status AS "responseStatus",
  e.error_message AS "errorMessage"
${WATCHED} AND ${LATE_AT} < $1
ORDER BY e.scheduled_at, a.id LIMIT $2`,
    values: [now, limit],
  });
  return rows.map(({ alertId, jobId, ...facts }) => ({
    alertId,
    jobId,
    executionId: facts.executionId,
    facts,
  }));
}

/** Remembers these reports, so the alert does not report an execution again, however often it starts. */
export async function insertLateMarks(tx: Queryable, marks: readonly LateMark[]): Promise<void> {
  if (marks.length === 0) return;
  await tx.query({
    name: 'insert-late-marks',
    text: `INSERT INTO job_alert_late_executions (alert_id, execution_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[]) ON CONFLICT DO NOTHING`,
    values: [marks.map(({ alertId }) => alertId), marks.map(({ executionId }) => executionId)],
  });
}

/** The marks of executions. They stay after a start: the claim may be undone, and then the execution starts again. */
export async function readLateMarks(tx: Queryable, executionIds: readonly string[]): Promise<LateMark[]> {
  if (executionIds.length === 0) return [];
  const { rows } = await tx.query<LateMark & Record<string, unknown>>({
    name: 'read-late-marks',
    text: `SELECT alert_id AS "alertId", execution_id AS "executionId"
FROM job_alert_late_executions WHERE execution_id = ANY($1::uuid[])`,
    values: [executionIds],
  });
  return rows;
}

/** Forgets the marks of executions that have ended. */
export async function forgetLateMarks(tx: Queryable, executionIds: readonly string[]): Promise<void> {
  if (executionIds.length === 0) return;
  await tx.query({
    name: 'forget-late-marks',
    text: 'DELETE FROM job_alert_late_executions WHERE execution_id = ANY($1::uuid[])',
    values: [executionIds],
  });
}
