import { type AlertChannel, MAIL_CHANNELS } from '../../domain/alert/channels.ts';
import type { AlertNotice } from '../../domain/alert/alert-notice.ts';
import type { DeliveryMove } from '../../domain/alert/alert-retry.ts';
import type { Queryable } from '../statements/sql.ts';

/** A delivery that this instance is to send. */
export interface ClaimedDelivery {
  id: string;
  alertId: string;
  channel: AlertChannel;
  target: string;
  /** Host and port of the target; empty for mail, which all goes to one server. */
  host: string;
  /** Tries begun, this one among them. */
  attempts: number;
  isTest: boolean;
  notice: AlertNotice;
}

export interface DeliveryClaim {
  now: Date;
  leaseExpiresAt: Date;
  limit: number;
  /** What this instance is sending per host, where it is. */
  busyHosts: ReadonlyMap<string, number>;
  /** Sends under way at once to one host. */
  hostLimit: number;
}

/** Mail of all alerts goes by one server, which counts as no host. */
const HOST = `CASE WHEN a.channel::text IN (${MAIL_CHANNELS.map((channel) => `'${channel}'`).join(', ')}) THEN ''
  ELSE host_of(a.target) END`;

/** How far a claim looks: a constant of the statement, since its plan is kept for all values. */
const LOOK = 100;

const CLAIM_DELIVERIES = `
-- take up to $3 deliveries that are due at $1 and that nobody is sending, leased until $2, and count the try.
-- SKIP LOCKED lets instances pass each other. Materialized, since the planner may run a subquery's LIMIT twice.
-- No host gets more of the batch than it has places left, and full ones ($4) are passed over: a receiver that hangs must
-- not hold up the others.
-- Of one alert one at a time, in the order in which they are due, so that a recovery does not arrive before its failure.
-- One that waits for its next try is passed.
WITH candidate AS MATERIALIZED (
  SELECT d.id, d.available_at, ${HOST} AS host
  FROM job_alert_deliveries AS d JOIN job_alerts AS a ON a.id = d.alert_id
  WHERE d.status = 'PENDING' AND d.available_at <= $1 AND (d.lease_expires_at IS NULL OR d.lease_expires_at <= $1)
    AND ${HOST} <> ALL($4::text[])
    AND (d.is_test OR NOT EXISTS (SELECT FROM job_alert_deliveries AS o
      WHERE o.alert_id = d.alert_id AND o.status = 'PENDING' AND NOT o.is_test AND o.id <> d.id
        AND (o.lease_expires_at > $1 OR (o.available_at <= $1 AND (o.available_at, o.id) < (d.available_at, d.id)))))
  ORDER BY d.available_at, d.id
  LIMIT ${LOOK}
), placed AS MATERIALIZED (
  SELECT c.*, row_number() OVER (PARTITION BY c.host ORDER BY c.available_at, c.id) AS place,
    coalesce(busy.sends, 0) AS sends
  FROM candidate AS c LEFT JOIN unnest($5::text[], $6::int[]) AS busy(host, sends) ON busy.host = c.host
), due AS MATERIALIZED (
  SELECT d.id, p.host FROM job_alert_deliveries AS d JOIN placed AS p ON p.id = d.id
  WHERE p.sends + p.place <= $7 AND d.status = 'PENDING' AND d.available_at <= $1
    AND (d.lease_expires_at IS NULL OR d.lease_expires_at <= $1)
  ORDER BY p.available_at, p.id
  LIMIT $3
  FOR NO KEY UPDATE OF d SKIP LOCKED
)
UPDATE job_alert_deliveries AS d SET lease_expires_at = $2, attempts = d.attempts + 1
FROM due, job_alerts AS a
WHERE d.id = due.id AND a.id = d.alert_id
RETURNING d.id, d.alert_id AS "alertId", a.channel, a.target, due.host, d.attempts, d.is_test AS "isTest",
  d.payload AS notice`;

/** Takes deliveries to be sent by this instance: nobody else sends them while the lease lasts. */
export async function claimDeliveries(
  db: Queryable,
  { now, leaseExpiresAt, limit, busyHosts, hostLimit }: DeliveryClaim,
): Promise<ClaimedDelivery[]> {
  const full = [...busyHosts].filter(([, sends]) => sends >= hostLimit).map(([host]) => host);
  const { rows } = await db.query<ClaimedDelivery & Record<string, unknown>>({
    name: 'claim-deliveries',
    text: CLAIM_DELIVERIES,
    values: [now, leaseExpiresAt, limit, full, [...busyHosts.keys()], [...busyHosts.values()], hostLimit],
  });
  return rows;
}

/** When the next delivery may be sent by anybody; null where none waits. */
export async function nextDeliveryAt(db: Queryable): Promise<Date | null> {
  const { rows } = await db.query<{ at: Date | null }>({
    name: 'next-delivery',
    text: `SELECT min(greatest(available_at, lease_expires_at)) AS at FROM job_alert_deliveries WHERE status = 'PENDING'`,
  });
  return rows[0]?.at ?? null;
}

const RECORD_DELIVERY = `
-- record where a try left its delivery. A failure counts only while the try is the last one begun: another instance may
-- have taken the delivery over since. That it arrived is true, even if another instance says so late.
UPDATE job_alert_deliveries
SET status = $3, last_error = coalesce($4, last_error), available_at = coalesce($5, available_at), delivered_at = $6,
    lease_expires_at = NULL
WHERE id = $1 AND status <> 'DELIVERED'
  AND ($3::delivery_status = 'DELIVERED' OR (status = 'PENDING' AND attempts = $2))`;

/** Records where a try left its delivery; one that was deleted meanwhile is passed over. */
export async function recordDelivery(
  db: Queryable,
  { id, attempts }: Pick<ClaimedDelivery, 'id' | 'attempts'>,
  move: DeliveryMove,
  now: Date,
): Promise<void> {
  await db.query({
    name: 'record-delivery',
    text: RECORD_DELIVERY,
    values: [
      id,
      attempts,
      move.status,
      move.status === 'DELIVERED' ? null : move.lastError,
      move.status === 'PENDING' ? move.availableAt : null,
      move.status === 'DELIVERED' ? now : null,
    ],
  });
}

const PRUNE_DELIVERIES = `
-- delete up to $2 deliveries from before $1 that are sent or given up.
WITH doomed AS MATERIALIZED (
  SELECT id FROM job_alert_deliveries WHERE status <> 'PENDING' AND created_at < $1
  ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
DELETE FROM job_alert_deliveries WHERE id IN (SELECT id FROM doomed)`;

/** Deletes a batch of old deliveries; answers how many went. */
export async function pruneDeliveries(db: Queryable, createdBefore: Date, limit: number): Promise<number> {
  const { rowCount } = await db.query({ text: PRUNE_DELIVERIES, values: [createdBefore, limit] });
  return rowCount ?? 0;
}
