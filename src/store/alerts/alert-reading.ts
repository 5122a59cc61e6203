import type { AlertEvent } from '../../domain/alert/alert.ts';
import type { ExecutionFacts } from '../../domain/alert/alert-notice.ts';
import type { AlertState } from '../../domain/alert/alert-rules.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** How far the log has been read, and what for. */
export interface ReaderState {
  position: bigint;
  /** The first position that an enabled alert has not asked for; null where no alert is enabled. */
  since: bigint | null;
  /** Whether any enabled alert tells of LATE. */
  watchesLate: boolean;
}

const LOCK_READER = `
-- take the reader's place in the log until the transaction ends.
-- SKIP LOCKED: another instance that reads now will move it, and there is nothing for us to wait for.
SELECT position, (SELECT min(since_position) FROM job_alerts WHERE enabled) AS since,
  EXISTS (SELECT FROM job_alerts WHERE enabled AND 'LATE' = ANY (events)) AS "watchesLate"
FROM alert_reader
FOR NO KEY UPDATE OF alert_reader SKIP LOCKED`;

/** Takes the reader's place; null where another instance has it. */
export async function lockReader(tx: Queryable): Promise<ReaderState | null> {
  const { rows } = await tx.query<ReaderState & Record<string, unknown>>({
    name: 'lock-alert-reader',
    text: LOCK_READER,
  });
  return rows[0] ?? null;
}

/** Whether any alert is enabled: one look, for the many who have none. */
export async function isAnyAlertEnabled(db: Queryable): Promise<boolean> {
  const { rows } = await db.query({
    name: 'any-alert-enabled',
    // In the order of an index of the enabled ones: it is read then, however many others there are.
    text: 'SELECT FROM job_alerts WHERE enabled ORDER BY since_position LIMIT 1',
  });
  return rows.length > 0;
}

/** Moves the reader, in the transaction that holds it and has written what it read. */
export async function moveReader(tx: Queryable, position: bigint): Promise<void> {
  await tx.query({
    name: 'move-alert-reader',
    text: 'UPDATE alert_reader SET position = $1',
    values: [position.toString()],
  });
}

/** An event that may concern an alert. */
export interface WatchedEvent extends Omit<ExecutionFacts, 'executionId'> {
  position: bigint;
  at: Date;
  kind: 'EXECUTION_STARTED' | 'EXECUTION_SUCCEEDED' | 'EXECUTION_FAILED' | 'EXECUTION_SKIPPED';
  jobId: string;
  executionId: string;
  /** Its row is still there. */
  isKept: boolean;
}

const READ_WATCHED = `
-- of the up to $2 events behind $1, those that enabled alerts may ask for, and where these events end.
-- The limit counts all events: whatever most of them are about, a batch is read in the same time. Of starts, most of which
-- are in time, only those that are late.
WITH batch AS MATERIALIZED (
  SELECT * FROM event_log WHERE position > $1 ORDER BY position LIMIT $2
)
SELECT b.position, b.at, b.kind, b.job_id AS "jobId", b.execution_id AS "executionId", b.status, b.trigger,
  b.scheduled_at AS "scheduledAt", b.started_at AS "startedAt", b.finished_at AS "finishedAt",
  b.duration_ms AS "durationMs", b.lateness_ms AS "latenessMs", b.attempt, b.failure_reason AS "failureReason",
  e.skip_reason AS "skipReason", b.response_status AS "responseStatus", b.error_message AS "errorMessage",
  e.id IS NOT NULL AS "isKept", batch.through, batch.count
FROM (SELECT max(position) AS through, count(*)::int AS count FROM batch) AS batch
LEFT JOIN batch AS b ON b.kind IN ('EXECUTION_STARTED', 'EXECUTION_SUCCEEDED', 'EXECUTION_FAILED', 'EXECUTION_SKIPPED')
  AND EXISTS (SELECT FROM job_alerts AS a WHERE a.job_id = b.job_id AND a.enabled
    AND (b.kind <> 'EXECUTION_STARTED' OR ('LATE' = ANY (a.events) AND b.lateness_ms > a.lateness_threshold_ms)))
LEFT JOIN job_executions AS e ON e.id = b.execution_id
ORDER BY b.position`;

/** Reads on. `through` is null where there is nothing behind `after`; `isFull`: there may be more. */
export async function readWatchedEvents(
  tx: Queryable,
  after: bigint,
  limit: number,
): Promise<{ events: WatchedEvent[]; through: bigint | null; isFull: boolean }> {
  type Batch = { through: bigint | null; count: number };
  const { rows } = await tx.query<Batch & (WatchedEvent | { position: null })>({
    name: 'read-watched-events',
    text: READ_WATCHED,
    values: [after.toString(), limit],
  });
  const [batch] = rows;
  const events = rows.filter((row) => row.position !== null);
  return { events, through: batch?.through ?? null, isFull: batch?.count === limit };
}

/** An enabled alert, with what it remembers and the job that it is about. */
export interface WatchingAlert extends AlertState {
  id: string;
  jobId: string;
  jobKey: string | null;
  jobName: string;
  events: AlertEvent[];
  failureThreshold: number;
  latenessThresholdMs: number;
  sincePosition: bigint;
}

const LOCK_WATCHING = `
-- lock the enabled alerts of jobs, in the order of their ids. Whoever changes an alert holds this lock too: none is
-- changed between what it is asked and what is written for it. Deleted jobs send no more alerts.
SELECT a.id, a.job_id AS "jobId", j.key AS "jobKey", j.name AS "jobName", a.events::text[] AS events,
  a.failure_threshold AS "failureThreshold", a.lateness_threshold_ms AS "latenessThresholdMs",
  a.since_position AS "sincePosition", a.failures_in_row AS "failuresInRow", a.is_failing AS "isFailing"
FROM job_alerts AS a JOIN jobs AS j ON j.id = a.job_id
WHERE a.job_id = ANY($1::uuid[]) AND a.enabled AND j.status <> 'DELETED'
ORDER BY a.id
FOR NO KEY UPDATE OF a`;

/** Locks the enabled alerts of jobs. */
export async function lockWatchingAlerts(tx: Queryable, jobIds: readonly string[]): Promise<WatchingAlert[]> {
  if (jobIds.length === 0) return [];
  const { rows } = await tx.query<WatchingAlert & Record<string, unknown>>({
    name: 'lock-watching-alerts',
    text: LOCK_WATCHING,
    values: [jobIds],
  });
  return rows;
}

/** Writes what alerts that this transaction has locked remember now. */
export async function saveAlertStates(
  tx: Queryable,
  states: readonly (AlertState & { id: string })[],
): Promise<void> {
  if (states.length === 0) return;
  await tx.query({
    name: 'save-alert-states',
    text: `UPDATE job_alerts AS a SET failures_in_row = s."failuresInRow", is_failing = s."isFailing"
FROM jsonb_to_recordset($1::jsonb) AS s(id uuid, "failuresInRow" int, "isFailing" boolean) WHERE a.id = s.id`,
    values: [toJsonb(states)],
  });
}
