import { UPCOMING_JOB, type UpcomingJob } from './planning.ts';
import type { Queryable } from '../statements/sql.ts';

/** An instant at which more than {@link MORE_THAN} jobs are due, and at least how many. */
export interface BurstAhead {
  at: Date;
  jobs: number;
}

/** As many jobs of one instant are no burst. */
const MORE_THAN = 1_000;
/** Jobs that are looked at in search of one: what a burst is made of, and as many before it. */
const LOOKED_AT = 20_000;

/**
 * The first burst among the jobs that are due next.
 *
 * @param range what is asked of `next_run_at`
 */
export const burstAhead = (range: string): string => `
SELECT next_run_at AS at, count(*)::int AS jobs FROM (
  SELECT next_run_at FROM jobs WHERE ${range} ORDER BY next_run_at LIMIT ${LOOKED_AT}
) AS ahead
GROUP BY next_run_at HAVING count(*) > ${MORE_THAN}
ORDER BY next_run_at LIMIT 1`;

/** The first burst after an instant; null where none is near. */
export async function findBurst(db: Queryable, after: Date): Promise<BurstAhead | null> {
  const { rows } = await db.query<BurstAhead & Record<string, unknown>>({
    name: 'burst-ahead',
    text: `-- burst ahead: the next instant at which very many jobs are due.${burstAhead('next_run_at > $1')}`,
    values: [after],
  });
  return rows[0] ?? null;
}

const IDS_OF_BURST = `
-- jobs of a burst: those due at $1, in the order in which slots are prefetched; $3 of them behind the first $2. Without most of
-- those that are planned in the ordinary way: other executions decide as well, or it is the last slot.
SELECT coalesce(array_agg(id::text ORDER BY priority DESC, id), '{}') AS ids FROM (
  SELECT id, priority FROM jobs WHERE next_run_at = $1 AND concurrency_policy = 'ALLOW' AND max_concurrency IS NULL AND run_at IS NULL
  ORDER BY priority DESC, id OFFSET $2 LIMIT $3
) AS job`;

/** The ids of the jobs whose slots are made in a burst. */
export async function readIdsOfBurst(
  db: Queryable,
  at: Date,
  { behind, limit }: { behind: number; limit: number },
): Promise<string[]> {
  const { rows } = await db.query<{ ids: string[] }>({
    name: 'ids-of-burst',
    text: IDS_OF_BURST,
    values: [at, behind, limit],
  });
  return rows[0]?.ids ?? [];
}

/** Those of the jobs that are due at the instant still, as they are now; nothing is locked. */
export async function readJobsOfBurst(
  db: Queryable,
  at: Date,
  ids: readonly string[],
): Promise<UpcomingJob[]> {
  const { rows } = await db.query<UpcomingJob & Record<string, unknown>>({
    name: 'jobs-of-burst',
    text: `SELECT ${UPCOMING_JOB} FROM jobs WHERE id = ANY ($2::uuid[]) AND next_run_at = $1`,
    values: [at, ids],
  });
  return rows;
}
