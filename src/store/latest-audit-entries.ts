import type { Queryable } from './sql.ts';

const LATEST = `
-- the ids of the newest audit entries of each of many jobs, in one statement: one look into an index per job.
SELECT job.id AS "jobId", latest.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT a.id, a.at FROM job_audit_log AS a WHERE a.job_id = job.id ORDER BY a.at DESC, a.id DESC LIMIT $2
) AS latest
ORDER BY latest.at DESC, latest.id DESC`;

/** Per job its newest audit entries, newest first, at most `limit` of each; a job without any is missing. */
export async function latestAuditEntryIds(
  db: Queryable,
  jobIds: readonly string[],
  limit: number,
): Promise<Map<string, string[]>> {
  const { rows } = await db.query<{ jobId: string; id: string }>({
    name: 'latest-audit-entries',
    text: LATEST,
    values: [jobIds, limit],
  });
  const byJob = new Map<string, string[]>();
  for (const { jobId, id } of rows) byJob.set(jobId, [...(byJob.get(jobId) ?? []), id]);
  return byJob;
}
