import { isLimited, NO_LOAD } from '../job/concurrency.ts';
import { planJob, type DueJob } from './plan.ts';

/**
 * A future slot that becomes one execution, which waits for nothing but its time. This holds as long as nobody
 * changes the job.
 */
export interface PlainSlot {
  executionId: string;
  jobId: string;
  scheduledAt: Date;
  availableAt: Date;
  priority: number;
  maxAttempts: number;
  /** The job's next run after it. */
  nextRunAt: Date;
  /** The latest instant at which the slot is on time. */
  onTimeUntil: Date;
}

/**
 * A job's next slot, when it is a plain one. It is null when other things than the job decide about the slot: other
 * executions, other jobs, or skipped slots. It is also null for the last slot.
 */
export function plainSlotOf(job: DueJob): PlainSlot | null {
  if (isLimited(job) || job.hasDependencies || job.skipped.length > 0) return null;
  const { executions, move } = planJob(job, NO_LOAD, null, job.nextRunAt);
  const [execution] = executions;
  if (!execution || executions.length > 1 || move.nextRunAt === null) return null;
  if (execution.scheduledAt.getTime() !== job.nextRunAt.getTime() || execution.status !== 'PENDING')
    return null;
  const { id: executionId, jobId, scheduledAt, availableAt, priority, maxAttempts } = execution;
  return {
    executionId,
    jobId,
    scheduledAt,
    availableAt,
    priority,
    maxAttempts,
    nextRunAt: move.nextRunAt,
    onTimeUntil: new Date(scheduledAt.getTime() + job.misfireGraceMs),
  };
}
