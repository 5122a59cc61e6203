import { groupBy } from '../../domain/values/group-by.ts';
import type { Tag } from '../../generated/prisma/client.ts';
import type { Queryable } from '../statements/sql.ts';

/** A tag, and which jobs have it, deleted ones too. */
export interface TagBearers {
  tagId: string;
  /** In no order; null where they are more than was asked for. */
  jobIds: string[] | null;
}

const READ = `
-- tags by their names, each with up to $2 of the jobs that have it.
SELECT t.id, t.name, ARRAY(SELECT a.job_id FROM job_tag_associations AS a WHERE a.tag_id = t.id LIMIT $2) AS "jobIds"
FROM job_tags AS t WHERE t.name = ANY($1)`;

/** Who has tags of these names; a name that no tag has is missing. */
export async function readTagBearers(
  db: Queryable,
  names: readonly string[],
  limit: number,
): Promise<Map<string, TagBearers>> {
  const { rows } = await db.query<{ id: string; name: string; jobIds: string[] }>({
    name: 'tag-bearers',
    text: READ,
    values: [names, limit + 1],
  });
  return new Map(
    rows.map(({ id, name, jobIds }) => [name, { tagId: id, jobIds: jobIds.length > limit ? null : jobIds }]),
  );
}

const READ_BORNE = `
-- the tags of each of many jobs, in the order of their names.
SELECT a.job_id AS "jobId", t.id, t.name, t.color, t.created_at AS "createdAt"
FROM job_tag_associations AS a JOIN job_tags AS t ON t.id = a.tag_id
WHERE a.job_id = ANY($1) ORDER BY t.name`;

/** What tags jobs have; a job without any is missing. */
export async function readTagsOfJobs(db: Queryable, jobIds: readonly string[]): Promise<Map<string, Tag[]>> {
  const { rows } = await db.query<Tag & { jobId: string }>({
    name: 'tags-borne',
    text: READ_BORNE,
    values: [jobIds],
  });
  return groupBy(rows, ({ jobId }) => jobId);
}
