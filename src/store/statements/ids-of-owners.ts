import { groupBy } from '../../domain/values/group-by.ts';
import type { PageRequest } from '../../domain/execution/page-request.ts';
import { type PageColumn, pageSql } from './page-sql.ts';
import type { Queryable } from './sql.ts';

/** The parts of a list's statement. Its keys are never null. */
interface PageParts {
  keys: string;
  order: string;
  within: string;
}

const LATEST_EXECUTIONS = `
-- the ids of the newest executions of each of many jobs, in one statement with one index look-up per job. It excludes
-- skipped slots after $3.
SELECT job.id AS owner, latest.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT e.id, e.created_at FROM job_executions AS e
  WHERE e.job_id = job.id
    AND ($3::timestamptz IS NULL OR e.skip_reason IS DISTINCT FROM 'OPERATOR' OR e.scheduled_at <= $3)
  ORDER BY e.created_at DESC, e.id DESC LIMIT $2
) AS latest
ORDER BY latest.created_at DESC, latest.id DESC`;

const AUDIT_ENTRIES = ({ keys, order, within }: PageParts) => `
-- the ids of the newest or oldest audit entries of each of many jobs, or of those at a place, in one statement with
-- one index look-up per job.
SELECT job.id AS owner, chosen.id
FROM unnest($1::uuid[]) AS job(id), LATERAL (
  SELECT a.id, ${keys} FROM job_audit_log AS a WHERE a.job_id = job.id AND ${within} ORDER BY ${order} LIMIT $2
) AS chosen
ORDER BY ${order}`;

const AUDIT_COLUMNS = { at: { sql: 'a.at', type: 'timestamptz' }, id: { sql: 'a.id', type: 'uuid' } };

const DELIVERIES = ({ keys, order, within }: PageParts) => `
-- the ids of the newest or oldest deliveries of each of many alerts, or of those at a place, in one statement with
-- one index look-up per alert.
SELECT alert.id AS owner, chosen.id
FROM unnest($1::uuid[]) AS alert(id), LATERAL (
  SELECT d.id, ${keys} FROM job_alert_deliveries AS d WHERE d.alert_id = alert.id AND ${within} ORDER BY ${order} LIMIT $2
) AS chosen
ORDER BY ${order}`;

const DELIVERY_COLUMNS = {
  createdAt: { sql: 'd.created_at', type: 'timestamptz' },
  id: { sql: 'd.id', type: 'uuid' },
};

/** A tag with at least this many jobs is common. */
const COMMON_TAG_JOBS = 1_000;

const TAG_JOBS = ({ keys, order, within }: PageParts) => `
-- the ids of the newest or oldest jobs of each of many tags, or of those at a place, without deleted jobs, in one
-- statement. For a common tag it walks all jobs from that end, and the subquery forces this plan. For a rare tag it
-- sorts the few jobs of the tag.
WITH tag AS MATERIALIZED (
  SELECT id, (SELECT count(*) FROM (
    SELECT FROM job_tag_associations AS a WHERE a.tag_id = t.id LIMIT ${COMMON_TAG_JOBS}) AS borne) = ${COMMON_TAG_JOBS} AS is_common
  FROM unnest($1::uuid[]) AS t(id)
)
SELECT tag.id AS owner, chosen.id
FROM tag, LATERAL (
  (SELECT j.id, ${keys} FROM jobs AS j
    WHERE tag.is_common AND j.deleted_at IS NULL AND ${within}
      AND (SELECT true FROM job_tag_associations AS a WHERE a.tag_id = tag.id AND a.job_id = j.id)
    ORDER BY ${order} LIMIT $2)
  UNION ALL
  (SELECT j.id, ${keys} FROM (
      SELECT a.job_id FROM job_tag_associations AS a WHERE NOT tag.is_common AND a.tag_id = tag.id OFFSET 0
    ) AS a JOIN jobs AS j ON j.id = a.job_id
    WHERE j.deleted_at IS NULL AND ${within}
    ORDER BY ${order} LIMIT $2)
) AS chosen
ORDER BY ${order}`;

const JOB_COLUMNS = {
  createdAt: { sql: 'j.created_at', type: 'timestamptz' },
  id: { sql: 'j.id', type: 'uuid' },
};

/** The ids of each owner's rows, in the requested order. An owner without rows is missing. */
export type IdsByOwner = Promise<Map<string, string[]>>;

/**
 * The newest executions of each job, at most `limit`.
 *
 * @param slotsUntil excludes later slots, which have an execution only because a user skipped them
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

/** The requested audit entries of each job. */
export function auditEntryIdsOfJobs(
  db: Queryable,
  jobIds: readonly string[],
  asked: PageRequest,
): IdsByOwner {
  return readPages(db, { name: 'audit-entries', text: AUDIT_ENTRIES, columns: AUDIT_COLUMNS }, jobIds, asked);
}

/** The requested deliveries of each alert. */
export function deliveryIdsOfAlerts(
  db: Queryable,
  alertIds: readonly string[],
  asked: PageRequest,
): IdsByOwner {
  return readPages(db, { name: 'deliveries', text: DELIVERIES, columns: DELIVERY_COLUMNS }, alertIds, asked);
}

/** The requested jobs of each tag, in the order of their creation. */
export function jobIdsOfTags(db: Queryable, tagIds: readonly string[], asked: PageRequest): IdsByOwner {
  return readPages(db, { name: 'tag-jobs', text: TAG_JOBS, columns: JOB_COLUMNS }, tagIds, asked);
}

interface ListOfOwner {
  name: string;
  text: (parts: PageParts) => string;
  columns: Readonly<Record<string, PageColumn>>;
}

/** The statement for a page at an end of the list is always the same, so it has a name. */
function readPages(
  db: Queryable,
  { name, text, columns }: ListOfOwner,
  owners: readonly string[],
  asked: PageRequest,
): IdsByOwner {
  const values: unknown[] = [owners, asked.limit];
  const { keys, order, reads } = pageSql(asked, columns, (value) => `$${values.push(value)}`);
  const isAtEnd = asked.after === null && asked.before === null;
  return readIdsByOwner(db, {
    ...(isAtEnd && { name: `${asked.isReversed ? 'last' : 'first'}-${name}` }),
    text: text({ keys, order, within: reads[0]?.within ?? 'true' }),
    values,
  });
}

/** Reads pairs of an owner and an id, in the order of each owner's ids. */
export async function readIdsByOwner(
  db: Queryable,
  statement: { name?: string; text: string; values: unknown[] },
): IdsByOwner {
  const { rows } = await db.query<{ owner: string; id: string }>(statement);
  const groups = groupBy(rows, ({ owner }) => owner);
  return new Map([...groups].map(([owner, pairs]) => [owner, pairs.map(({ id }) => id)]));
}
