import { NEXT_AVAILABLE } from '../executions/claiming.ts';
import { NEXT_LEASE_END } from '../executions/leases.ts';
import type { Queryable } from '../statements/sql.ts';

/** The earliest next work of each kind; null when nothing waits. */
export interface NextDue {
  /** A job's next run. */
  runAt: Date | null;
  /** The end of a pause. */
  pauseEndsAt: Date | null;
  /** An execution that may be claimed. */
  availableAt: Date | null;
  /** The end of a lease with a call. */
  leaseEndsAt: Date | null;
  /** The end of the wait for a callback. */
  waitEndsAt: Date | null;
  isAnythingBlocked: boolean;
  /** A delivery of an alert. */
  deliveryAt: Date | null;
  isAnyAlertEnabled: boolean;
}

const NEXT_DUE = `
-- next due: one step in an index for each thing that may be next.
WITH next AS (${NEXT_AVAILABLE})
SELECT
  (SELECT min(next_run_at) FROM jobs WHERE next_run_at IS NOT NULL) AS "runAt",
  (SELECT min(paused_until) FROM jobs WHERE paused_until IS NOT NULL) AS "pauseEndsAt",
  (SELECT least(fresh, backlog) FROM next) AS "availableAt",
  (${NEXT_LEASE_END}) AS "leaseEndsAt",
  (SELECT min(lease_expires_at) FROM job_executions WHERE callback_deadline_at IS NOT NULL) AS "waitEndsAt",
  EXISTS (SELECT FROM job_executions WHERE status = 'BLOCKED') AS "isAnythingBlocked",
  (SELECT min(greatest(available_at, lease_expires_at)) FROM job_alert_deliveries WHERE status = 'PENDING')
    AS "deliveryAt",
  -- min() reads the index of the enabled alerts, however many others there are.
  (SELECT min(since_position) FROM job_alerts WHERE enabled) IS NOT NULL AS "isAnyAlertEnabled"`;

/** Reads the next work for all parts of an instance. */
export async function readNextDue(db: Queryable): Promise<NextDue> {
  const { rows } = await db.query<NextDue & Record<string, unknown>>({ name: 'next-due', text: NEXT_DUE });
  const [row] = rows;
  if (!row) throw new Error('The database did not answer what comes next');
  return row;
}
