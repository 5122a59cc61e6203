import { groupBy } from '../../domain/values/group-by.ts';
import type { PageRequest } from '../../domain/execution/page-request.ts';
import type { Queryable } from './sql.ts';

type Direction = 'ASC' | 'DESC';

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

const AUDIT_ENTRIES = (direction: Direction) => `
-- the ids of the newest audit entries of each of many jobs, or the oldest, in one statement: one look into an index per job.
SELECT job.id AS owner, latest.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT a.id, a.at FROM job_audit_log AS a WHERE a.job_id = job.id ORDER BY a.at ${direction}, a.id ${direction} LIMIT $2
) AS latest
ORDER BY latest.at ${direction}, latest.id ${direction}`;

const DELIVERIES = (direction: Direction) => `
-- the ids of the newest deliveries of each of many alerts, or the oldest, in one statement: one look into an index per alert.
SELECT alert.id AS owner, latest.id
FROM unnest($1::uuid[]) AS alert(id), LATERAL (
  SELECT d.id, d.created_at FROM job_alert_deliveries AS d
  WHERE d.alert_id = alert.id ORDER BY d.created_at ${direction}, d.id ${direction} LIMIT $2
) AS latest
ORDER BY latest.created_at ${direction}, latest.id ${direction}`;

/** Jobs from which on a tag is common. */
const COMMON_TAG_JOBS = 1_000;

const TAG_JOBS = (direction: Direction) => `
-- the ids of the newest jobs, or the oldest, deleted ones left out, that have each of many tags, in one statement.
-- Of a common tag some of the jobs at that end have it: they are walked from there on. The subquery keeps the planner from
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
    ORDER BY j.created_at ${direction}, j.id ${direction} LIMIT $2)
  UNION ALL
  (SELECT j.id, j.created_at FROM (
      SELECT a.job_id FROM job_tag_associations AS a WHERE NOT tag.is_common AND a.tag_id = tag.id OFFSET 0
    ) AS a JOIN jobs AS j ON j.id = a.job_id
    WHERE j.deleted_at IS NULL
    ORDER BY j.created_at ${direction}, j.id ${direction} LIMIT $2)
) AS job
ORDER BY job.created_at ${direction}, job.id ${direction}`;

/** Per owner the ids of its rows, in the order in which they were asked for; an owner without any is missing. */
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

/** Per job its audit entries, from one end of its history. */
export function auditEntryIdsOfJobs(
  db: Queryable,
  jobIds: readonly string[],
  asked: PageRequest,
): IdsByOwner {
  return fromEnd(db, 'audit-entries', AUDIT_ENTRIES, jobIds, asked);
}

/** Per alert its deliveries, from one end of their list. */
export function deliveryIdsOfAlerts(
  db: Queryable,
  alertIds: readonly string[],
  asked: PageRequest,
): IdsByOwner {
  return fromEnd(db, 'deliveries', DELIVERIES, alertIds, asked);
}

/** Per tag its jobs, by when they were created, from one end. */
export function jobIdsOfTags(db: Queryable, tagIds: readonly string[], asked: PageRequest): IdsByOwner {
  return fromEnd(db, 'tag-jobs', TAG_JOBS, tagIds, asked);
}

function fromEnd(
  db: Queryable,
  name: string,
  text: (direction: Direction) => string,
  owners: readonly string[],
  { from, limit }: PageRequest,
): IdsByOwner {
  return readIdsByOwner(db, {
    name: `${from}-${name}`,
    text: text(directionFrom(from)),
    values: [owners, limit],
  });
}

/** The direction in which rows are read from that end of their time. */
export function directionFrom(end: PageRequest['from']): Direction {
  return end === 'newest' ? 'DESC' : 'ASC';
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
