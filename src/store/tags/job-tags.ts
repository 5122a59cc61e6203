import { sortedTags } from '../../domain/job/tag.ts';
import type { Queryable } from '../statements/sql.ts';
import { tagIdsOf } from './tags.ts';

/** What tags jobs have, by job; a job without any is missing. */
export async function tagsOfJobs(tx: Queryable, jobIds: readonly string[]): Promise<Map<string, string[]>> {
  if (jobIds.length === 0) return new Map();
  const { rows } = await tx.query<{ jobId: string; names: string[] }>({
    name: 'tags-of-jobs',
    text: `
-- tags of jobs that the transaction holds locked. In a statement of its own: the locking statement's snapshot may be
-- older than the commit of the transaction that held the jobs before, and would show the tags of then.
SELECT a.job_id AS "jobId", array_agg(t.name) AS names
FROM job_tag_associations AS a JOIN job_tags AS t ON t.id = a.tag_id
WHERE a.job_id = ANY($1) GROUP BY a.job_id`,
    values: [jobIds],
  });
  return new Map(rows.map(({ jobId, names }) => [jobId, sortedTags(names)]));
}

/** The tags that a job is to have from now on. */
export interface JobTags {
  id: string;
  tags: readonly string[];
}

const REPLACE = `
-- replace the tags of jobs $1 by the pairs of job $2 and tag $3. What stays is not touched.
WITH wanted AS (SELECT * FROM unnest($2::uuid[], $3::uuid[]) AS w(job_id, tag_id)), removed AS (
  DELETE FROM job_tag_associations AS a
  WHERE a.job_id = ANY($1) AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.job_id = a.job_id AND w.tag_id = a.tag_id)
)
INSERT INTO job_tag_associations (job_id, tag_id) SELECT job_id, tag_id FROM wanted ON CONFLICT DO NOTHING`;

/**
 * Gives jobs that this transaction holds locked the tags that they are to have, all of them. Names that are unknown
 * become new tags. The transaction must have begun with `holdTagNames`.
 *
 * @param newId draws the id of a new tag
 */
export async function replaceJobTags(
  tx: Queryable,
  jobs: readonly JobTags[],
  now: Date,
  newId: (now: Date) => string,
): Promise<void> {
  if (jobs.length === 0) return;
  const tagIds = await tagIdsOf(tx, sortedTags(jobs.flatMap(({ tags }) => tags)), now, newId);
  const pairs = jobs.flatMap(({ id, tags }) =>
    tags.map((tag) => ({ jobId: id, tagId: tagIds.get(tag) ?? '' })),
  );
  await tx.query({
    name: 'replace-job-tags',
    text: REPLACE,
    values: [jobs.map(({ id }) => id), pairs.map(({ jobId }) => jobId), pairs.map(({ tagId }) => tagId)],
  });
}
