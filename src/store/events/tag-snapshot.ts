import type { QueryResultRow } from 'pg';
import type { Queryable } from '../statements/sql.ts';

/** An event by which jobs came to have other tags. */
export interface TagChange {
  position: bigint;
  /** Null where a tag was renamed or deleted: then the lists hold its name alone, and it concerns all that had it. */
  jobId: string | null;
  previousTags: string[];
  tags: string[];
}

/** Which jobs have which tags, and how that came about as far back as the log is kept. */
export interface TagSnapshot {
  /** What the log tells up to here is in it. */
  position: bigint;
  jobs: { jobId: string; tags: string[] }[];
  /** In order. */
  changes: TagChange[];
}

const TEXTS = (list: string) => `ARRAY(SELECT jsonb_array_elements_text(data->'${list}'))`;

const READ = `
-- tags of all jobs that have any, changes of tags in the log, and where the log stands. One statement, so that it is one
-- snapshot: a change is in the log exactly where it is in the tables.
SELECT 'job' AS kind, NULL::bigint AS position, a.job_id AS "jobId", NULL::text[] AS "previousTags", array_agg(t.name) AS tags
FROM job_tag_associations AS a JOIN job_tags AS t ON t.id = a.tag_id GROUP BY a.job_id
UNION ALL
SELECT 'change', position, job_id, ${TEXTS('previousTags')}, ${TEXTS('tags')}
FROM event_log WHERE data ? 'previousTags'
UNION ALL
SELECT 'tip', coalesce((SELECT max(position) FROM event_log), pruned_through), NULL, NULL, NULL FROM event_log_state`;

type Row =
  | { kind: 'job'; jobId: string; tags: string[] }
  | ({ kind: 'change' } & TagChange)
  | { kind: 'tip'; position: bigint };

/** Reads which jobs have which tags. */
export async function readTagSnapshot(db: Queryable): Promise<TagSnapshot> {
  const { rows } = await db.query<Row & QueryResultRow>({ name: 'tag-snapshot', text: READ });
  const snapshot: TagSnapshot = { position: 0n, jobs: [], changes: [] };
  for (const row of rows) {
    if (row.kind === 'job') snapshot.jobs.push(row);
    else if (row.kind === 'change') snapshot.changes.push(row);
    else snapshot.position = row.position;
  }
  snapshot.changes.sort((a, b) => Number(a.position - b.position));
  return snapshot;
}
