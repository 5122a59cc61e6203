import type { Queryable } from '../statements/sql.ts';

/** How many rows the counts of jobs may have before they are summed up. */
export const LOOSE_COUNTS = 100;

const SUM_UP = `
-- sum up the counts of jobs when there are many rows: one row for each status again.
-- Two transactions at the same time cannot delete the same row, so each counts once.
WITH gone AS (
  DELETE FROM job_status_counts WHERE (SELECT count(*) FROM job_status_counts) > ${LOOSE_COUNTS}
  RETURNING status, jobs
)
INSERT INTO job_status_counts (status, jobs) SELECT status, sum(jobs) FROM gone GROUP BY status`;

/** Keeps the counts of jobs quick to read. The sums stay the same. */
export async function sumUpJobCounts(db: Queryable): Promise<void> {
  await db.query({ name: 'sum-up-job-counts', text: SUM_UP });
}
