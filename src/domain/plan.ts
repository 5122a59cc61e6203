import type { ExecutionTrigger } from './execution.ts';
import { slotRuleOf, type SlotFacts } from './job-slots.ts';
import {
  decideDueSlots,
  type DueDecision,
  type DueRun,
  type MisfirePolicy,
  type SkippedSlots,
} from './misfire.ts';
import { nextSlot, slotsAfter } from './schedule-slots.ts';
import { jitterFor, slotExecutionId } from './slot-id.ts';

/** A job whose next slot has come, as far as planning needs it. */
export interface DueJob extends SlotFacts {
  id: string;
  jitterMs: number;
  misfirePolicy: MisfirePolicy;
  misfireGraceMs: number;
  priority: number;
  maxRetries: number | null;
  nextRunAt: Date;
}

/** An execution that a plan creates: PENDING from `availableAt` on, or SKIPPED with its reason. */
export interface PlannedExecution {
  id: string;
  jobId: string;
  trigger: Extract<ExecutionTrigger, 'SCHEDULE' | 'CATCH_UP'>;
  scheduledAt: Date;
  availableAt: Date;
  priority: number;
  maxAttempts: number;
  /** Slots that this row stands for. */
  slotCount: number;
  skipReason: 'MISFIRE' | null;
  errorMessage: string | null;
}

/** Where a planned job goes on; COMPLETED where no slot is left. */
export interface JobMove {
  id: string;
  nextRunAt: Date | null;
  status: 'ACTIVE' | 'COMPLETED';
}

export interface JobPlan {
  executions: PlannedExecution[];
  move: JobMove;
}

/**
 * Decides what a due job's slots become and where the job goes on: its next run is the first slot behind those
 * decided here, never a time counted from now, so that nothing is lost or doubled however late this is called.
 */
export function planJob(job: DueJob, now: Date): JobPlan {
  const rule = slotRuleOf(job);
  if (rule === null) return { executions: [], move: { id: job.id, nextRunAt: null, status: 'ACTIVE' } };

  const due = decideDueSlots({ ...job, slotsAfter: (after) => slotsAfter(rule, after) }, now);
  const nextRunAt = nextSlot(rule, due.plannedUntil);
  const runs = due.runs.map((run) => runOf(job, run));
  return {
    executions: due.skipped ? [skipOf(job, due.skipped, due), ...runs] : runs,
    move: { id: job.id, nextRunAt, status: nextRunAt === null ? 'COMPLETED' : 'ACTIVE' },
  };
}

function runOf(job: DueJob, { scheduledAt, trigger, standsFor }: DueRun): PlannedExecution {
  return {
    ...rowOf(job, scheduledAt),
    trigger,
    availableAt: new Date(scheduledAt.getTime() + jitterFor(job.id, scheduledAt, job.jitterMs)),
    slotCount: standsFor,
    skipReason: null,
    errorMessage: null,
  };
}

/** One row for the whole range, at its first slot: a row for each would make an outage of a day a flood of its own. */
function skipOf(job: DueJob, { firstAt, lastAt, count }: SkippedSlots, due: DueDecision): PlannedExecution {
  const howMany = due.countIsExact ? `${count}` : `at least ${count}`;
  const cap = due.cappedAt === null ? '' : ` The policy runs at most ${due.cappedAt} of them.`;
  return {
    ...rowOf(job, firstAt),
    trigger: 'SCHEDULE',
    availableAt: firstAt,
    slotCount: count,
    skipReason: 'MISFIRE',
    errorMessage: `Missed ${howMany} from ${firstAt.toISOString()} to ${lastAt.toISOString()}.${cap}`,
  };
}

function rowOf(
  job: DueJob,
  scheduledAt: Date,
): Pick<PlannedExecution, 'id' | 'jobId' | 'scheduledAt' | 'priority' | 'maxAttempts'> {
  return {
    id: slotExecutionId(job.id, scheduledAt),
    jobId: job.id,
    scheduledAt,
    priority: job.priority,
    maxAttempts: 1 + (job.maxRetries ?? 0),
  };
}
