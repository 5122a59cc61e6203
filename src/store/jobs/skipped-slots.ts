import type { SkipReason, ExecutionStatus } from '../../generated/prisma/enums.ts';
import type { NewEvent } from '../events/append-events.ts';
import { insertExecutionsSql } from '../executions/insert-executions.ts';
import { type Queryable, toTimestamps } from '../statements/sql.ts';

/** The skipped slots of each job from an instant on, in order. A job without any is missing. */
export async function skippedSlots(
  db: Queryable,
  jobs: readonly { id: string; from: Date }[],
): Promise<Map<string, Date[]>> {
  if (jobs.length === 0) return new Map();
  const { rows } = await db.query<{ jobId: string; slots: Date[] }>({
    name: 'left-out-slots',
    text: `SELECT e.job_id AS "jobId", array_agg(e.scheduled_at ORDER BY e.scheduled_at) AS slots
FROM unnest($1::uuid[], $2::timestamptz[]) AS job(id, since)
JOIN job_executions AS e ON e.job_id = job.id AND e.scheduled_at >= job.since AND e.skip_reason = 'OPERATOR'
GROUP BY e.job_id`,
    values: [jobs.map(({ id }) => id), toTimestamps(jobs.map(({ from }) => from))],
  });
  return new Map(rows.map(({ jobId, slots }) => [jobId, slots]));
}

/** The existing execution of a slot. */
export interface SlotExecution {
  id: string;
  status: ExecutionStatus;
  skipReason: SkipReason | null;
}

/** The execution of a job's slot; null when there is none. A redrive of it does not count. */
export async function executionOfSlot(
  db: Queryable,
  jobId: string,
  scheduledAt: Date,
): Promise<SlotExecution | null> {
  const { rows } = await db.query<SlotExecution & Record<string, unknown>>({
    name: 'execution-of-slot',
    text: `SELECT id, status, skip_reason AS "skipReason" FROM job_executions
WHERE job_id = $1 AND scheduled_at = $2 AND trigger IN ('SCHEDULE', 'CATCH_UP')`,
    values: [jobId, scheduledAt],
  });
  return rows[0] ?? null;
}

/** A slot that must not run. */
export interface SkippedSlot {
  /** The slot's own execution id, the same that a planner derives. */
  id: string;
  jobId: string;
  scheduledAt: Date;
  now: Date;
  priority: number;
  maxAttempts: number;
  message: string;
}

const INSERT = `
-- skip a slot: a finished execution takes its place, so every planner finds it taken.
${insertExecutionsSql(
  {
    id: '$1::uuid',
    jobId: 'id',
    status: `'SKIPPED'::execution_status`,
    trigger: `'SCHEDULE'`,
    scheduledAt: '$3::timestamptz',
    createdAt: '$4::timestamptz',
    availableAt: '$3::timestamptz',
    priority: '$5::int',
    host: 'host_of(api)',
    maxAttempts: '$6::int',
    skip: { reason: `'OPERATOR'::skip_reason`, errorMessage: '$7::text' },
  },
  'jobs WHERE id = $2',
)}`;

/**
 * Inserts the SKIPPED execution of a slot. This transaction must have locked the job, and the slot must be free.
 *
 * @returns the event to append
 */
export async function insertSkippedSlot(tx: Queryable, slot: SkippedSlot): Promise<NewEvent> {
  const { id, jobId, scheduledAt, now, priority, maxAttempts, message } = slot;
  await tx.query({
    name: 'leave-out-slot',
    text: INSERT,
    values: [id, jobId, scheduledAt, now, priority, maxAttempts, message],
  });
  return {
    at: now,
    kind: 'EXECUTION_SKIPPED',
    jobId,
    executionId: id,
    status: 'SKIPPED',
    trigger: 'SCHEDULE',
    createdAt: now,
    scheduledAt,
    finishedAt: now,
    errorMessage: message,
  };
}
