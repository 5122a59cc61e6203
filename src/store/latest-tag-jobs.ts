import type { Queryable } from './sql.ts';

const LATEST = `
-- the ids of the newest jobs, deleted ones left out, that have each of many tags, in one statement.
SELECT tag.id AS "tagId", job.id
FROM unnest($1::uuid[]) AS tag(id), LATERAL (
  SELECT j.id, j.created_at FROM job_tag_associations AS a JOIN jobs AS j ON j.id = a.job_id
  WHERE a.tag_id = tag.id AND j.status <> 'DELETED'
  ORDER BY j.created_at DESC, j.id DESC LIMIT $2
) AS job
ORDER BY job.created_at DESC, job.id DESC`;

/** Per tag its newest jobs, newest first, at most `limit` of each; a tag without any is missing. */
export async function latestTagJobIds(
  db: Queryable,
  tagIds: readonly string[],
  limit: number,
): Promise<Map<string, string[]>> {
  const { rows } = await db.query<{ tagId: string; id: string }>({
    name: 'latest-tag-jobs',
    text: LATEST,
    values: [tagIds, limit],
  });
  const byTag = new Map<string, string[]>();
  for (const { tagId, id } of rows) {
    const ids = byTag.get(tagId);
    if (ids) ids.push(id);
    else byTag.set(tagId, [id]);
  }
  return byTag;
}
