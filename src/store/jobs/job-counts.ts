import type { Queryable } from '../statements/sql.ts';

/** Rows that the counts of jobs may have before they are summed up. */
export const LOOSE_COUNTS = 100;

const SUM_UP = `
-- sum up the counts of jobs, where they have become many: one row for each status again.
-- Whoever does so at the same moment finds each row gone once only, and sums up what is left.
WITH gone AS (
  DELETE FROM job_status_counts WHERE (SELECT count(*) FROM job_status_counts) > ${LOOSE_COUNTS}
  RETURNING status, jobs
)
INSERT INTO job_status_counts (status, jobs) SELECT status, sum(jobs) FROM gone GROUP BY status`;

/** Keeps the counts of jobs quick to read; what they sum up to stays the same. */
export async function sumUpJobCounts(db: Queryable): Promise<void> {
  await db.query({ name: 'sum-up-job-counts', text: SUM_UP });
}
