import { LOOSE_COUNTS } from '../jobs/job-counts.ts';
import type { Queryable } from '../statements/sql.ts';

/** The oldest row of each kind that retention deletes; null when there is none. */
export interface OldestKept {
  eventAt: Date | null;
  finishedAt: Date | null;
  deliveryCreatedAt: Date | null;
  auditEntryAt: Date | null;
  /** Whether there are job counts to sum up. */
  areJobCountsLoose: boolean;
  /** One for each requested length of buckets. */
  rollupAt: (Date | null)[];
}

const OLDEST = `
-- oldest: one step in an index for each thing that may be past its time.
SELECT (SELECT at FROM event_log ORDER BY position LIMIT 1) AS "eventAt",
  (SELECT min(finished_at) FROM job_executions WHERE finished_at IS NOT NULL) AS "finishedAt",
  (SELECT min(created_at) FROM job_alert_deliveries WHERE status <> 'PENDING') AS "deliveryCreatedAt",
  (SELECT min(at) FROM job_audit_log) AS "auditEntryAt",
  (SELECT count(*) FROM job_status_counts) > ${LOOSE_COUNTS} AS "areJobCountsLoose",
  ARRAY(SELECT (SELECT min(bucket_at) FROM job_execution_rollups WHERE bucket_minutes = asked.minutes)
    FROM unnest($1::int[]) WITH ORDINALITY AS asked(minutes, n) ORDER BY n) AS "rollupAt"`;

/** Reads in one statement whether there is anything to prune or to fold. Usually there is not. */
export async function readOldestKept(db: Queryable, bucketMinutes: readonly number[]): Promise<OldestKept> {
  const { rows } = await db.query<OldestKept & Record<string, unknown>>({
    name: 'oldest-kept',
    text: OLDEST,
    values: [bucketMinutes],
  });
  const [row] = rows;
  if (!row) throw new Error('The database did not answer what is oldest');
  return row;
}
