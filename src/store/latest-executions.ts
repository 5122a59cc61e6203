import type { Queryable } from './sql.ts';

const LATEST = `
-- the ids of the newest executions of each of many jobs, in one statement: one look into an index per job.
SELECT job.id AS "jobId", latest.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT e.id, e.created_at FROM job_executions AS e WHERE e.job_id = job.id ORDER BY e.created_at DESC, e.id DESC LIMIT $2
) AS latest
ORDER BY latest.created_at DESC, latest.id DESC`;

/** Per job its newest executions, newest first, at most `limit` of each; a job without any is missing. */
export async function latestExecutionIds(
  db: Queryable,
  jobIds: readonly string[],
  limit: number,
): Promise<Map<string, string[]>> {
  const { rows } = await db.query<{ jobId: string; id: string }>({
    name: 'latest-executions',
    text: LATEST,
    values: [jobIds, limit],
  });
  const byJob = new Map<string, string[]>();
  for (const { jobId, id } of rows) byJob.set(jobId, [...(byJob.get(jobId) ?? []), id]);
  return byJob;
}
