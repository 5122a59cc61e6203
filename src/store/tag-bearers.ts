import type { Queryable } from './sql.ts';

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
