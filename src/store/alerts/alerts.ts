import type { AlertDefinition } from '../../domain/alert/alert.ts';
import type { Queryable } from '../statements/sql.ts';

/** An alert as its row holds it, without what its reader remembers. */
export type StoredAlert = AlertDefinition & { id: string; jobId: string; createdAt: Date; updatedAt: Date };

// Enum arrays come as text where the driver does not know the enum: as text[] they come as arrays.
const COLUMNS = `id, job_id AS "jobId", channel, target, events::text[] AS events,
  failure_threshold AS "failureThreshold", lateness_threshold_ms AS "latenessThresholdMs", enabled,
  created_at AS "createdAt", updated_at AS "updatedAt"`;

/** Which job an alert belongs to; null where there is no such alert. */
export async function jobOfAlert(db: Queryable, id: string): Promise<string | null> {
  const { rows } = await db.query<{ jobId: string }>({
    name: 'job-of-alert',
    text: 'SELECT job_id AS "jobId" FROM job_alerts WHERE id = $1',
    values: [id],
  });
  return rows[0]?.jobId ?? null;
}

/** The alert, locked against changes by others until the transaction ends; null where there is none (any more). */
export async function lockAlert(tx: Queryable, id: string): Promise<StoredAlert | null> {
  const { rows } = await tx.query<StoredAlert & Record<string, unknown>>({
    name: 'lock-alert',
    text: `SELECT ${COLUMNS} FROM job_alerts WHERE id = $1 FOR NO KEY UPDATE`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** How many alerts a job has; one that holds the job locked reads what stays so. */
export async function countAlerts(tx: Queryable, jobId: string): Promise<number> {
  const { rows } = await tx.query<{ count: number }>({
    name: 'count-alerts',
    text: 'SELECT count(*)::int AS count FROM job_alerts WHERE job_id = $1',
    values: [jobId],
  });
  return rows[0]?.count ?? 0;
}

/** Where the event log ends: what stands behind it is what a new alert tells of. */
const TIP = `(SELECT coalesce((SELECT max(position) FROM event_log), pruned_through) FROM event_log_state)`;

/** Adds an alert that tells of what is committed from now on. The transaction must hold its job's row. */
export async function insertAlert(tx: Queryable, alert: StoredAlert): Promise<void> {
  await tx.query({
    name: 'insert-alert',
    text: `INSERT INTO job_alerts (id, job_id, channel, target, events, failure_threshold, lateness_threshold_ms, enabled,
  created_at, updated_at, since_position)
VALUES ($1, $2, $3::alert_channel, $4, $5::alert_event[], $6, $7, $8, $9, $10, ${TIP})`,
    values: [
      alert.id,
      alert.jobId,
      alert.channel,
      alert.target,
      alert.events,
      alert.failureThreshold,
      alert.latenessThresholdMs,
      alert.enabled,
      alert.createdAt,
      alert.updatedAt,
    ],
  });
}

const UPDATE_ALERT = `
-- Write an alert that is locked. One that is enabled again begins anew: nobody has followed its job meanwhile, so
-- neither its place in the log nor its failures in a row mean anything any more.
UPDATE job_alerts SET target = $2, events = $3::alert_event[], failure_threshold = $4, lateness_threshold_ms = $5,
  enabled = $6, updated_at = $7,
  since_position = CASE WHEN $6 AND NOT enabled THEN ${TIP} ELSE since_position END,
  failures_in_row = CASE WHEN $6 AND NOT enabled THEN 0 ELSE failures_in_row END,
  is_failing = is_failing AND NOT ($6 AND NOT enabled)
WHERE id = $1`;

/** Writes an alert that this transaction has locked. */
export async function updateAlert(tx: Queryable, alert: StoredAlert): Promise<void> {
  await tx.query({
    name: 'update-alert',
    text: UPDATE_ALERT,
    values: [
      alert.id,
      alert.target,
      alert.events,
      alert.failureThreshold,
      alert.latenessThresholdMs,
      alert.enabled,
      alert.updatedAt,
    ],
  });
}

/** Deletes an alert with its deliveries. */
export async function deleteAlert(tx: Queryable, id: string): Promise<void> {
  await tx.query({ name: 'delete-alert', text: 'DELETE FROM job_alerts WHERE id = $1', values: [id] });
}

/**
 * Gives up what an alert still had to send. A delivery that is being sent at this moment may still arrive, and is
 * then recorded as what it is.
 */
export async function giveUpDeliveries(tx: Queryable, alertId: string, why: string): Promise<void> {
  await tx.query({
    name: 'give-up-deliveries',
    text: `UPDATE job_alert_deliveries SET status = 'FAILED', last_error = $2, lease_expires_at = NULL
WHERE alert_id = $1 AND status = 'PENDING' AND NOT is_test`,
    values: [alertId, why],
  });
}
