import { groupBy } from '../domain/group-by.ts';
import type { Queryable } from './sql.ts';

const LATEST_EXECUTIONS = `
-- the ids of the newest executions of each of many jobs, in one statement: one look into an index per job. Without those
-- of slots after $3, which somebody has left out.
SELECT job.id AS owner, latest.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT e.id, e.created_at FROM job_executions AS e
  WHERE e.job_id = job.id
    AND ($3::timestamptz IS NULL OR e.skip_reason IS DISTINCT FROM 'OPERATOR' OR e.scheduled_at <= $3)
  ORDER BY e.created_at DESC, e.id DESC LIMIT $2
) AS latest
ORDER BY latest.created_at DESC, latest.id DESC`;

const LATEST_AUDIT_ENTRIES = `
-- the ids of the newest audit entries of each of many jobs, in one statement: one look into an index per job.
SELECT job.id AS owner, latest.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT a.id, a.at FROM job_audit_log AS a WHERE a.job_id = job.id ORDER BY a.at DESC, a.id DESC LIMIT $2
) AS latest
ORDER BY latest.at DESC, latest.id DESC`;

const LATEST_DELIVERIES = `
-- the ids of the newest deliveries of each of many alerts, in one statement: one look into an index per alert.
SELECT alert.id AS owner, latest.id
FROM unnest($1::uuid[]) AS alert(id), LATERAL (
  SELECT d.id, d.created_at FROM job_alert_deliveries AS d
  WHERE d.alert_id = alert.id ORDER BY d.created_at DESC, d.id DESC LIMIT $2
) AS latest
ORDER BY latest.created_at DESC, latest.id DESC`;

/** Jobs from which on a tag is common. */
const COMMON_TAG_JOBS = 1_000;

const LATEST_TAG_JOBS = `
-- the ids of the newest jobs, deleted ones left out, that have each of many tags, in one statement.
-- Of a common tag some of the newest jobs have it: they are walked from the newest on. The subquery keeps the planner from
-- doing anything else. Of a rare tag few have it: they are sorted.
WITH tag AS MATERIALIZED (
  SELECT id, (SELECT count(*) FROM (
    SELECT FROM job_tag_associations AS a WHERE a.tag_id = t.id LIMIT ${COMMON_TAG_JOBS}) AS borne) = ${COMMON_TAG_JOBS} AS is_common
  FROM unnest($1::uuid[]) AS t(id)
)
SELECT tag.id AS owner, job.id
FROM tag, LATERAL (
  (SELECT j.id, j.created_at FROM jobs AS j
    WHERE tag.is_common AND j.deleted_at IS NULL
      AND (SELECT true FROM job_tag_associations AS a WHERE a.tag_id = tag.id AND a.job_id = j.id)
    ORDER BY j.created_at DESC, j.id DESC LIMIT $2)
  UNION ALL
  (SELECT j.id, j.created_at FROM (
      SELECT a.job_id FROM job_tag_associations AS a WHERE NOT tag.is_common AND a.tag_id = tag.id OFFSET 0
    ) AS a JOIN jobs AS j ON j.id = a.job_id
    WHERE j.deleted_at IS NULL
    ORDER BY j.created_at DESC, j.id DESC LIMIT $2)
) AS job
ORDER BY job.created_at DESC, job.id DESC`;

/** Per owner the ids of its newest rows, newest first; an owner without any is missing. */
export type IdsByOwner = Promise<Map<string, string[]>>;

/**
 * Per job its newest executions, at most `limit` of each.
 *
 * @param slotsUntil leaves out slots behind this, which have an execution only because somebody has skipped them
 */
export function latestExecutionIds(
  db: Queryable,
  jobIds: readonly string[],
  limit: number,
  slotsUntil: Date | null = null,
): IdsByOwner {
  return readIdsByOwner(db, {
    name: 'latest-executions',
    text: LATEST_EXECUTIONS,
    values: [jobIds, limit, slotsUntil],
  });
}

/** Per job its newest audit entries, at most `limit` of each. */
export function latestAuditEntryIds(db: Queryable, jobIds: readonly string[], limit: number): IdsByOwner {
  return readIdsByOwner(db, {
    name: 'latest-audit-entries',
    text: LATEST_AUDIT_ENTRIES,
    values: [jobIds, limit],
  });
}

/** Per alert its newest deliveries, at most `limit` of each. */
export function latestDeliveryIds(db: Queryable, alertIds: readonly string[], limit: number): IdsByOwner {
  return readIdsByOwner(db, {
    name: 'latest-deliveries',
    text: LATEST_DELIVERIES,
    values: [alertIds, limit],
  });
}

/** Per tag its newest jobs, at most `limit` of each. */
export function latestTagJobIds(db: Queryable, tagIds: readonly string[], limit: number): IdsByOwner {
  return readIdsByOwner(db, { name: 'latest-tag-jobs', text: LATEST_TAG_JOBS, values: [tagIds, limit] });
}

/** Reads pairs of an owner and an id, in the order in which each owner is to have its ids. */
export async function readIdsByOwner(
  db: Queryable,
  statement: { name?: string; text: string; values: unknown[] },
): IdsByOwner {
  const { rows } = await db.query<{ owner: string; id: string }>(statement);
  const groups = groupBy(rows, ({ owner }) => owner);
  return new Map([...groups].map(([owner, pairs]) => [owner, pairs.map(({ id }) => id)]));
}
