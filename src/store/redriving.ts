import type { ExecutionStatus } from '../domain/execution.ts';
import type { NewEvent } from './event-log.ts';
import type { Queryable } from './sql.ts';

/**
 * Keeps jobs from being changed or deleted until the transaction ends, and says which of them are not deleted.
 *
 * SHARE, so that any number of redrives may run for one job at once; an execution that is inserted meanwhile is seen by
 * the deletion that waits for us, and withdrawn.
 */
export async function lockLiveJobs(tx: Queryable, jobIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await tx.query<{ id: string; isLive: boolean }>({
    name: 'lock-live-jobs',
    text: `SELECT id, status <> 'DELETED' AS "isLive" FROM jobs WHERE id = ANY($1) ORDER BY id FOR SHARE`,
    values: [jobIds],
  });
  return new Set(rows.filter(({ isLive }) => isLive).map(({ id }) => id));
}

/** An execution that may be run again. */
export interface RepeatableExecution {
  jobId: string;
  status: ExecutionStatus;
}

/** Reads an execution and keeps it from being pruned until the transaction ends; null where it is not there. */
export async function holdExecution(tx: Queryable, id: string): Promise<RepeatableExecution | null> {
  const { rows } = await tx.query<RepeatableExecution & Record<string, unknown>>({
    name: 'hold-execution',
    text: 'SELECT job_id AS "jobId", status FROM job_executions WHERE id = $1 FOR KEY SHARE',
    values: [id],
  });
  return rows[0] ?? null;
}

/** An execution that runs another one again. */
export interface NewRedrive {
  id: string;
  redriveOfId: string;
}

const INSERT_REDRIVES = `
-- redrive: for each finished execution $2 a new one $1 of the same job, slot and body, and its dead letter closed.
-- The slot's unique index knows schedules and catch-ups only, so it stands beside the execution that served the slot.
WITH pair AS (
  SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS p(id, original_id)
), redriven AS (
  INSERT INTO job_executions (id, job_id, status, trigger, scheduled_at, created_at, available_at, max_attempts, priority,
    body_override, redrive_of_id)
  SELECT p.id, o.job_id, 'PENDING', 'REDRIVE', o.scheduled_at, $3, $3, 1 + coalesce(j.max_retries, 0), j.priority,
    o.body_override, o.id
  FROM pair AS p JOIN job_executions AS o ON o.id = p.original_id JOIN jobs AS j ON j.id = o.job_id
  RETURNING id, job_id, scheduled_at, redrive_of_id
), upstream AS MATERIALIZED (
  -- What set the original off sets its redrive off too. Locked: one that is pruned at this moment must not be referred to.
  SELECT p.id, t.triggered_by_id
  FROM pair AS p JOIN job_execution_triggers AS t ON t.execution_id = p.original_id
  JOIN job_executions AS u ON u.id = t.triggered_by_id
  ORDER BY u.id
  FOR KEY SHARE OF u
), triggered AS (
  INSERT INTO job_execution_triggers (execution_id, triggered_by_id) SELECT id, triggered_by_id FROM upstream
), closed AS (
  UPDATE failed_jobs_dlq AS d SET redriven_at = $3, redrive_execution_id = p.id
  FROM pair AS p WHERE d.execution_id = p.original_id AND d.redriven_at IS NULL AND d.discarded_at IS NULL
)
SELECT id, job_id AS "jobId", scheduled_at AS "scheduledAt" FROM redriven`;

/**
 * Inserts redrives. Their jobs must be locked by {@link lockLiveJobs}, and the dead letters that this is to close by
 * `lockOpenDeadLetters`.
 *
 * @returns the events to append, in the order of `redrives`
 */
export async function insertRedrives(
  tx: Queryable,
  redrives: readonly NewRedrive[],
  now: Date,
): Promise<NewEvent[]> {
  const { rows } = await tx.query<{ id: string; jobId: string; scheduledAt: Date | null }>({
    name: 'insert-redrives',
    text: INSERT_REDRIVES,
    values: [redrives.map(({ id }) => id), redrives.map(({ redriveOfId }) => redriveOfId), now],
  });
  const byId = new Map(rows.map((row) => [row.id, row]));
  return redrives.flatMap(({ id }): NewEvent[] => {
    const row = byId.get(id);
    if (!row) return [];
    const { jobId, scheduledAt } = row;
    return [
      {
        at: now,
        kind: 'EXECUTION_PLANNED',
        jobId,
        executionId: id,
        status: 'PENDING',
        trigger: 'REDRIVE',
        createdAt: now,
        scheduledAt,
      },
    ];
  });
}
