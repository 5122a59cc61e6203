import { isLimited, NO_LOAD } from '../job/concurrency.ts';
import { planJob, type DueJob } from './plan.ts';

/**
 * A slot that is yet to come and of which it is known what it becomes: one execution that waits for nothing but its time.
 * Known, that is, as long as nobody changes the job.
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
  /** The latest instant at which the slot still is on time, and not missed. */
  onTimeUntil: Date;
}

/**
 * A job's next slot, where it is a plain one; null where more than the job decides what becomes of it (other executions,
 * other jobs, slots that somebody left out) or where it is the last one.
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
