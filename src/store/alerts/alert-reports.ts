import type { AlertEvent } from '../../domain/alert/alert.ts';
import type { AlertNotice } from '../../domain/alert/alert-notice.ts';
import type { Queryable } from '../statements/sql.ts';
import { toJsonb } from '../statements/sql.ts';

/** What was sent lately, or is to be sent, of one alert and one event. */
export interface SentLately {
  alertId: string;
  event: AlertEvent;
  dueAt: Date;
  id: string;
  /** It waits to be sent and gathers meanwhile; its notice so far. */
  gathering: AlertNotice | null;
}

const READ_SENT_LATELY = `
-- deliveries of alerts that were due after $2, and those that still gather, locked: one that is being claimed at this
-- moment is waited for, and the second look then sees that it gathers no more.
-- created_at bounds the walk through the index: what is due after $2 was made an hour before at the earliest.
WITH gathering AS MATERIALIZED (
  SELECT id, alert_id, event, due_at, payload FROM job_alert_deliveries
  WHERE alert_id = ANY($1::uuid[]) AND status = 'PENDING' AND attempts = 0 AND due_at > created_at AND NOT is_test
  ORDER BY id
  FOR NO KEY UPDATE
)
SELECT id, alert_id AS "alertId", event, due_at AS "dueAt", payload AS gathering FROM gathering
UNION ALL
SELECT d.id, d.alert_id, d.event, d.due_at, NULL FROM job_alert_deliveries AS d
WHERE d.alert_id = ANY($1::uuid[]) AND d.created_at > $2::timestamptz - interval '1 hour' AND d.due_at > $2
  AND NOT d.is_test AND NOT EXISTS (SELECT FROM gathering AS g WHERE g.id = d.id)`;

/** The deliveries of locked alerts that were due after an instant, or still gather; what gathers is locked. */
export async function readSentLately(
  tx: Queryable,
  alertIds: readonly string[],
  after: Date,
): Promise<SentLately[]> {
  if (alertIds.length === 0) return [];
  const { rows } = await tx.query<SentLately & Record<string, unknown>>({
    name: 'read-sent-lately',
    text: READ_SENT_LATELY,
    values: [alertIds, after],
  });
  return rows;
}

/** A delivery to be sent. */
export interface NewDelivery {
  id: string;
  alertId: string;
  /** Null where the execution is no longer kept. */
  executionId: string | null;
  event: AlertEvent;
  createdAt: Date;
  /** Not sent before. */
  dueAt: Date;
  occurrences: number;
  isTest: boolean;
  notice: AlertNotice;
  /** Until when its writer sends it; null leaves it to the first instance that looks. */
  leaseExpiresAt: Date | null;
  /** Tries begun: 1 where its writer sends it. */
  attempts: number;
}

/** Writes deliveries by one statement. */
export async function insertDeliveries(tx: Queryable, deliveries: readonly NewDelivery[]): Promise<void> {
  if (deliveries.length === 0) return;
  await tx.query({
    name: 'insert-deliveries',
    text: `INSERT INTO job_alert_deliveries (id, alert_id, execution_id, event, created_at, due_at, available_at,
  lease_expires_at, attempts, occurrences, is_test, payload)
SELECT id, "alertId", "executionId", event, "createdAt", "dueAt", "dueAt", "leaseExpiresAt", attempts, occurrences,
  "isTest", notice
FROM jsonb_to_recordset($1::jsonb) AS d(id uuid, "alertId" uuid, "executionId" uuid, event alert_event,
  "createdAt" timestamptz, "dueAt" timestamptz, "leaseExpiresAt" timestamptz, attempts int, occurrences int,
  "isTest" boolean, notice jsonb)`,
    values: [toJsonb(deliveries)],
  });
}

/** What a delivery that gathers, and is locked, tells now. */
export interface GatheredReports {
  id: string;
  executionId: string | null;
  /** As it was, or later. */
  dueAt: Date;
  occurrences: number;
  notice: AlertNotice;
}

/** Writes what deliveries that gather tell now, and when they are due. */
export async function updateGathering(tx: Queryable, gathered: readonly GatheredReports[]): Promise<void> {
  if (gathered.length === 0) return;
  await tx.query({
    name: 'update-gathering',
    text: `UPDATE job_alert_deliveries AS d
SET execution_id = g."executionId", due_at = g."dueAt", available_at = g."dueAt", occurrences = g.occurrences,
  payload = g.notice
FROM jsonb_to_recordset($1::jsonb) AS g(id uuid, "executionId" uuid, "dueAt" timestamptz, occurrences int, notice jsonb)
WHERE d.id = g.id`,
    values: [toJsonb(gathered)],
  });
}

/** How many tests of an alert were made after an instant. */
export async function countTests(tx: Queryable, alertId: string, after: Date): Promise<number> {
  const { rows } = await tx.query<{ count: number }>({
    name: 'count-alert-tests',
    text: `SELECT count(*)::int AS count FROM job_alert_deliveries
WHERE alert_id = $1 AND is_test AND created_at > $2`,
    values: [alertId, after],
  });
  return rows[0]?.count ?? 0;
}
