import type { FailureReason } from '../../domain/execution/outcome.ts';
import type { TagQuestion } from '../../domain/job/tag-filter.ts';
import type { Queryable } from '../statements/sql.ts';

/** The dead letters of a command. A null field restricts nothing. */
export interface DeadLetterSelection {
  ids: readonly string[] | null;
  jobIds: readonly string[] | null;
  failureReasons: readonly FailureReason[] | null;
  failedAt: { gt: Date | null; gte: Date | null; lt: Date | null; lte: Date | null };
  /** The tags of the dead letter's job. */
  tags: TagQuestion;
  /** Exclude dead letters of deleted jobs, which nobody can run again. */
  ofLiveJobsOnly: boolean;
}

/** A place in the queue, oldest failure first. */
export interface DeadLetterPlace {
  /** The failed execution's. */
  id: string;
  failedAt: Date;
}

export interface FoundDeadLetter extends DeadLetterPlace {
  jobId: string;
}

/** The tags of a dead letter's job with these names. */
const TAGS_NAMED = `SELECT FROM job_tag_associations AS a JOIN job_tags AS t ON t.id = a.tag_id
    WHERE a.job_id = d.job_id AND t.name =`;

const FIND_OPEN = `
-- open dead letters of the selection, oldest failure first, after the place ($8, $9).
-- The statement has no name, so PostgreSQL plans it each time: a plan for all selections would read the whole queue
-- for one id.
SELECT d.execution_id AS id, d.failed_at AS "failedAt", d.job_id AS "jobId"
FROM failed_jobs_dlq AS d
WHERE d.redriven_at IS NULL AND d.discarded_at IS NULL
  AND ($1::uuid[] IS NULL OR d.execution_id = ANY($1))
  AND ($2::uuid[] IS NULL OR d.job_id = ANY($2))
  AND ($3::failure_reason[] IS NULL OR d.failure_reason = ANY($3))
  AND ($4::timestamptz IS NULL OR d.failed_at > $4)
  AND ($5::timestamptz IS NULL OR d.failed_at >= $5)
  AND ($6::timestamptz IS NULL OR d.failed_at < $6)
  AND ($7::timestamptz IS NULL OR d.failed_at <= $7)
  AND ($8::timestamptz IS NULL OR (d.failed_at, d.execution_id) > ($8, $9::uuid))
  AND (NOT $10::boolean OR EXISTS (SELECT FROM jobs AS j WHERE j.id = d.job_id AND j.status <> 'DELETED'))
  AND ($12::text[] IS NULL OR EXISTS (${TAGS_NAMED} ANY($12)))
  AND (cardinality($13::text[]) = 0 OR (SELECT count(*) FROM (${TAGS_NAMED} ANY($13)) AS t) = cardinality($13))
  AND (cardinality($14::text[]) = 0 OR NOT EXISTS (${TAGS_NAMED} ANY($14)))
ORDER BY d.failed_at, d.execution_id
LIMIT $11`;

/** Finds open dead letters without a lock. {@link lockOpenDeadLetters} returns those that are still open. */
export async function findOpenDeadLetters(
  db: Queryable,
  { ids, jobIds, failureReasons, failedAt, tags, ofLiveJobsOnly }: DeadLetterSelection,
  behind: DeadLetterPlace | null,
  limit: number,
): Promise<FoundDeadLetter[]> {
  const { gt, gte, lt, lte } = failedAt;
  const { hasAny, hasAll, hasNone } = tags;
  const place = [behind?.failedAt ?? null, behind?.id ?? null];
  const { rows } = await db.query<FoundDeadLetter & Record<string, unknown>>({
    text: FIND_OPEN,
    values: [
      ids,
      jobIds,
      failureReasons,
      gt,
      gte,
      lt,
      lte,
      ...place,
      ofLiveJobsOnly,
      limit,
      hasAny,
      hasAll,
      hasNone,
    ],
  });
  return rows;
}

/** A dead letter that this transaction alone may close. */
export interface LockedDeadLetter {
  id: string;
  jobId: string;
}

/** Locks the dead letters that are still open until the transaction ends, in the order of their ids. */
export async function lockOpenDeadLetters(
  tx: Queryable,
  ids: readonly string[],
): Promise<LockedDeadLetter[]> {
  const { rows } = await tx.query<LockedDeadLetter & Record<string, unknown>>({
    name: 'lock-open-dead-letters',
    text: `
-- After a wait for another command, the statement checks each row again and skips the rows that the command closed.
SELECT execution_id AS id, job_id AS "jobId" FROM failed_jobs_dlq
WHERE execution_id = ANY($1) AND redriven_at IS NULL AND discarded_at IS NULL
ORDER BY execution_id
FOR NO KEY UPDATE`,
    values: [ids],
  });
  return rows;
}

/** The state of a dead letter. */
export interface DeadLetterState {
  redrivenAt: Date | null;
  /** Also null when the execution is pruned. */
  redriveExecutionId: string | null;
  discardedAt: Date | null;
}

/** Locks the dead letter of an execution; null when it has none. */
export async function lockDeadLetter(tx: Queryable, executionId: string): Promise<DeadLetterState | null> {
  const { rows } = await tx.query<DeadLetterState & Record<string, unknown>>({
    name: 'lock-dead-letter',
    text: `SELECT redriven_at AS "redrivenAt", redrive_execution_id AS "redriveExecutionId", discarded_at AS "discardedAt"
FROM failed_jobs_dlq WHERE execution_id = $1 FOR NO KEY UPDATE`,
    values: [executionId],
  });
  return rows[0] ?? null;
}

/** Discards locked dead letters. */
export async function discard(tx: Queryable, ids: readonly string[], now: Date): Promise<void> {
  await tx.query({
    name: 'discard-dead-letters',
    text: 'UPDATE failed_jobs_dlq SET discarded_at = $2 WHERE execution_id = ANY($1)',
    values: [ids, now],
  });
}
