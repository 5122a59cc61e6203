import type { Queryable } from '../statements/sql.ts';

/**
 * Key of the advisory transaction lock that keeps tags' names as they are while somebody gives tags to jobs: shared by
 * those who do, exclusive to who renames or deletes a tag. Without it the tags that a job was read with could have other
 * names by the time they are written.
 *
 * Taken FIRST, before any row: a transaction that waits for it must hold nothing.
 */
const TAG_NAMES_LOCK = 7_265_003;

/** A tag as its row holds it. */
export interface StoredTag {
  id: string;
  name: string;
  color: string | null;
}

/** Keeps everybody from renaming or deleting tags until the transaction ends. Must be its first statement. */
export async function holdTagNames(tx: Queryable): Promise<void> {
  await tx.query({
    name: 'hold-tag-names',
    text: 'SELECT pg_advisory_xact_lock_shared($1)',
    values: [TAG_NAMES_LOCK],
  });
}

/** Keeps everybody else from changing which job has which tag until the transaction ends. Must be its first statement. */
export async function lockTagNames(tx: Queryable): Promise<void> {
  await tx.query({
    name: 'lock-tag-names',
    text: 'SELECT pg_advisory_xact_lock($1)',
    values: [TAG_NAMES_LOCK],
  });
}

const CREATE_MISSING = `
-- create tags of these names, in their order, so that two who create the same ones wait for each other in one order only.
INSERT INTO job_tags (id, name, created_at) SELECT id, name, $3 FROM unnest($1::uuid[], $2::text[]) AS t(id, name)
ON CONFLICT (name) DO NOTHING`;

/**
 * The ids of tags by their names, which must be sorted; unknown ones are created. The transaction must hold
 * {@link holdTagNames}.
 *
 * @param newId draws the id of a new tag
 */
export async function tagIdsOf(
  tx: Queryable,
  names: readonly string[],
  now: Date,
  newId: (now: Date) => string,
): Promise<Map<string, string>> {
  const known = await findTagIds(tx, names);
  const missing = names.filter((name) => !known.has(name));
  if (missing.length === 0) return known;
  await tx.query({
    name: 'create-missing-tags',
    text: CREATE_MISSING,
    values: [missing.map(() => newId(now)), missing, now],
  });
  // Once more, for those that somebody else created meanwhile.
  return findTagIds(tx, names);
}

async function findTagIds(tx: Queryable, names: readonly string[]): Promise<Map<string, string>> {
  if (names.length === 0) return new Map();
  const { rows } = await tx.query<{ id: string; name: string }>({
    name: 'find-tags',
    text: 'SELECT id, name FROM job_tags WHERE name = ANY($1)',
    values: [names],
  });
  return new Map(rows.map(({ id, name }) => [name, id]));
}

/** The tag; null where there is none. */
export async function findTag(tx: Queryable, id: string): Promise<StoredTag | null> {
  const { rows } = await tx.query<StoredTag & Record<string, unknown>>({
    name: 'find-tag',
    text: 'SELECT id, name, color FROM job_tags WHERE id = $1',
    values: [id],
  });
  return rows[0] ?? null;
}

/** Inserts a tag. A taken name throws; see {@link isTagNameTaken}. */
export async function insertTag(tx: Queryable, { id, name, color }: StoredTag, now: Date): Promise<void> {
  await tx.query({
    name: 'insert-tag',
    text: 'INSERT INTO job_tags (id, name, color, created_at) VALUES ($1, $2, $3, $4)',
    values: [id, name, color, now],
  });
}

/** Writes a tag; the transaction must hold {@link lockTagNames}. A taken name throws; see {@link isTagNameTaken}. */
export async function updateTag(tx: Queryable, { id, name, color }: StoredTag): Promise<void> {
  await tx.query({
    name: 'update-tag',
    text: 'UPDATE job_tags SET name = $2, color = $3 WHERE id = $1',
    values: [id, name, color],
  });
}

/** Deletes a tag, and takes it off the jobs that still have it; the transaction must hold {@link lockTagNames}. */
export async function deleteTag(tx: Queryable, id: string): Promise<void> {
  await tx.query({ name: 'delete-tag', text: 'DELETE FROM job_tags WHERE id = $1', values: [id] });
}

/** Up to `limit` jobs that have the tag and are not deleted, in the order of their ids, without a lock. */
export async function jobsWithTag(db: Queryable, tagId: string, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: 'jobs-with-tag',
    text: `SELECT j.id FROM job_tag_associations AS a JOIN jobs AS j ON j.id = a.job_id
WHERE a.tag_id = $1 AND j.status <> 'DELETED' ORDER BY j.id LIMIT $2`,
    values: [tagId, limit],
  });
  return rows.map(({ id }) => id);
}

/** Whether a statement failed because another tag has the name. */
export function isTagNameTaken(error: unknown): boolean {
  return error instanceof Error && 'constraint' in error && error.constraint === 'job_tags_name_key';
}
