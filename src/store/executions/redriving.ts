import { concurrencyLimit, isLimited, type ConcurrencyRule } from '../../domain/job/concurrency.ts';
import type { ExecutionStatus } from '../../domain/execution/execution.ts';
import { readLoads } from './concurrency.ts';
import { insertExecutionsSql } from './insert-executions.ts';
import type { NewEvent } from '../events/append-events.ts';
import type { Queryable } from '../statements/sql.ts';

/** A job that can run executions again. */
export interface LiveJob extends ConcurrencyRule {
  id: string;
}

/**
 * Locks jobs until the transaction ends, and returns those that are not deleted. A deletion that waits for the lock
 * then sees the new executions, and other admissions count them.
 */
export async function lockLiveJobs(tx: Queryable, jobIds: readonly string[]): Promise<Map<string, LiveJob>> {
  const { rows } = await tx.query<LiveJob & { isLive: boolean }>({
    name: 'lock-live-jobs',
    text: `SELECT id, status <> 'DELETED' AS "isLive", concurrency_policy AS "concurrencyPolicy",
  max_concurrency AS "maxConcurrency"
FROM jobs WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`,
    values: [jobIds],
  });
  return new Map(rows.filter(({ isLive }) => isLive).map((job) => [job.id, job]));
}

/**
 * Reads the status of an execution and keeps it from being pruned until the transaction ends; null when it does not
 * exist.
 */
export async function holdExecution(tx: Queryable, id: string): Promise<ExecutionStatus | null> {
  const { rows } = await tx.query<{ status: ExecutionStatus }>({
    name: 'hold-execution',
    text: 'SELECT status FROM job_executions WHERE id = $1 FOR KEY SHARE',
    values: [id],
  });
  return rows[0]?.status ?? null;
}

/** A new execution that repeats another one. */
export interface NewRedrive {
  id: string;
  jobId: string;
  redriveOfId: string;
}

/**
 * Decides which redrives may run and which must wait for others of their job. When executions may not overlap, a
 * redrive is not skipped and replaces no other execution, unlike a slot. It waits for its turn.
 */
async function admitInTurn(
  tx: Queryable,
  jobs: ReadonlyMap<string, LiveJob>,
  redrives: readonly NewRedrive[],
): Promise<('PENDING' | 'BLOCKED')[]> {
  const limited = new Map([...jobs].filter(([, job]) => isLimited(job)));
  const loads = await readLoads(tx, [...limited.keys()]);
  const unfinished = new Map(
    [...loads].map(([jobId, { running, waiting, blocked }]) => [jobId, running + waiting + blocked]),
  );
  return redrives.map(({ jobId }) => {
    const job = limited.get(jobId);
    if (!job) return 'PENDING';
    const before = unfinished.get(jobId) ?? 0;
    unfinished.set(jobId, before + 1);
    return before < concurrencyLimit(job) ? 'PENDING' : 'BLOCKED';
  });
}

const INSERT_REDRIVES = `
-- redrive: for each finished execution $2, insert a new one $1 of the same job, slot and body, and close the dead
-- letter.
-- The unique index of slots covers schedules and catch-ups only, so the redrive can have the same slot.
WITH pair AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $4::execution_status[]) AS p(id, original_id, status)
), redriven AS (
  ${insertExecutionsSql(
    {
      id: 'p.id',
      jobId: 'o.job_id',
      status: 'p.status',
      trigger: `'REDRIVE'`,
      scheduledAt: 'o.scheduled_at',
      createdAt: '$3',
      availableAt: '$3',
      priority: 'j.priority',
      host: 'host_of(j.api)',
      maxAttempts: '1 + coalesce(j.max_retries, 0)',
      bodyOverride: 'o.body_override',
      redriveOfId: 'o.id',
    },
    'pair AS p JOIN job_executions AS o ON o.id = p.original_id JOIN jobs AS j ON j.id = o.job_id',
  )}
  RETURNING id, scheduled_at
), upstream AS MATERIALIZED (
  -- The redrive has the same upstream executions as the original. The lock skips an upstream that is being pruned:
  -- the redrive must not refer to it or wait for it.
  SELECT p.id, t.triggered_by_id
  FROM pair AS p JOIN job_execution_triggers AS t ON t.execution_id = p.original_id
  JOIN job_executions AS u ON u.id = t.triggered_by_id
  FOR KEY SHARE OF u SKIP LOCKED
), triggered AS (
  INSERT INTO job_execution_triggers (execution_id, triggered_by_id) SELECT id, triggered_by_id FROM upstream
), closed AS (
  UPDATE failed_jobs_dlq AS d SET redriven_at = $3, redrive_execution_id = p.id
  FROM pair AS p WHERE d.execution_id = p.original_id AND d.redriven_at IS NULL AND d.discarded_at IS NULL
)
SELECT id, scheduled_at AS "scheduledAt" FROM redriven`;

/**
 * Inserts redrives and closes their dead letters. {@link lockLiveJobs} must have locked the `jobs`, and
 * `lockOpenDeadLetters` the dead letters.
 *
 * @returns the events to append, in the order of `redrives`
 */
export async function insertRedrives(
  tx: Queryable,
  jobs: ReadonlyMap<string, LiveJob>,
  redrives: readonly NewRedrive[],
  now: Date,
): Promise<NewEvent[]> {
  const statuses = await admitInTurn(tx, jobs, redrives);
  const { rows } = await tx.query<{ id: string; scheduledAt: Date | null }>({
    name: 'insert-redrives',
    text: INSERT_REDRIVES,
    values: [redrives.map(({ id }) => id), redrives.map(({ redriveOfId }) => redriveOfId), now, statuses],
  });
  const slots = new Map(rows.map(({ id, scheduledAt }) => [id, scheduledAt]));
  return redrives.map(({ id, jobId }, index) => ({
    at: now,
    kind: 'EXECUTION_PLANNED',
    jobId,
    executionId: id,
    status: statuses[index] ?? 'PENDING',
    trigger: 'REDRIVE',
    createdAt: now,
    scheduledAt: slots.get(id) ?? null,
  }));
}
