import type { Queryable } from './sql.ts';

const LATEST = `
-- the ids of the newest executions of each of many jobs, in one statement: one look into an index per job. Without those
-- of slots after $3, which somebody has left out.
SELECT job.id AS "jobId", latest.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT e.id, e.created_at FROM job_executions AS e
  WHERE e.job_id = job.id
    AND ($3::timestamptz IS NULL OR e.skip_reason IS DISTINCT FROM 'OPERATOR' OR e.scheduled_at <= $3)
  ORDER BY e.created_at DESC, e.id DESC LIMIT $2
) AS latest
ORDER BY latest.created_at DESC, latest.id DESC`;

/**
 * Per job its newest executions, newest first, at most `limit` of each; a job without any is missing.
 *
 * @param slotsUntil leaves out slots behind this, which have an execution only because somebody has skipped them
 */
export async function latestExecutionIds(
  db: Queryable,
  jobIds: readonly string[],
  limit: number,
  slotsUntil: Date | null = null,
): Promise<Map<string, string[]>> {
  const { rows } = await db.query<{ jobId: string; id: string }>({
    name: 'latest-executions',
    text: LATEST,
    values: [jobIds, limit, slotsUntil],
  });
  const byJob = new Map<string, string[]>();
  for (const { jobId, id } of rows) byJob.set(jobId, [...(byJob.get(jobId) ?? []), id]);
  return byJob;
}
