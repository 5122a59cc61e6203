import {
  admit,
  leavesPlace,
  overlapMessage,
  REPLACED_MESSAGE,
  withoutCatchUps,
  type ConcurrencyLoad,
  type ConcurrencyRule,
} from '../job/concurrency.ts';
import type { ExecutionTrigger } from '../execution/execution.ts';
import { nextRunAfter, slotRuleOf, type SlotFacts, withoutSlots } from './job-slots.ts';
import {
  decideDueSlots,
  type DueDecision,
  type DueRun,
  type MisfirePolicy,
  type SkippedSlots,
} from './misfire.ts';
import { slotsAfter } from './schedule-slots.ts';
import { jitterFor, slotExecutionId } from './slot-id.ts';

/** A job whose next slot has come, with the fields that planning needs. */
export interface DueJob extends SlotFacts, ConcurrencyRule {
  id: string;
  jitterMs: number;
  misfirePolicy: MisfirePolicy;
  misfireGraceMs: number;
  priority: number;
  maxRetries: number | null;
  nextRunAt: Date;
  /** Slots from `nextRunAt` on that a user skipped. Each has its SKIPPED execution already. */
  skipped: readonly Date[];
  /** It fires only when the latest runs of other jobs ended as it requires. */
  hasDependencies: boolean;
}

/** An execution that a plan creates: PENDING from `availableAt` on, BLOCKED, or SKIPPED with its reason. */
export interface PlannedExecution {
  id: string;
  jobId: string;
  status: 'PENDING' | 'BLOCKED' | 'SKIPPED';
  trigger: Extract<ExecutionTrigger, 'SCHEDULE' | 'CATCH_UP'>;
  scheduledAt: Date;
  availableAt: Date;
  priority: number;
  maxAttempts: number;
  /**
   * How many slots this row stands for. A skipped row counts the skipped slots from its own on. A row that runs
   * counts itself and the missed slots before it, which also have their own row.
   */
  slotCount: number;
  skipReason: 'MISFIRE' | 'OVERLAP' | 'DEPENDENCY_NOT_MET' | null;
  errorMessage: string | null;
}

/** The job's next run after the plan; COMPLETED when no slot is left. */
export interface JobMove {
  id: string;
  nextRunAt: Date | null;
  status: 'ACTIVE' | 'COMPLETED';
}

export interface JobPlan {
  executions: PlannedExecution[];
  move: JobMove;
  /**
   * The new execution replaces unfinished executions of the job: under REPLACE all but redrives, under FORBID
   * catch-ups that have not begun. Until the planner locks them, a worker may claim them. Then the new one waits
   * under REPLACE, and the planner decides again under FORBID.
   */
  replacesUnfinished: boolean;
}

/**
 * Decides what a due job's slots become and what the job's next run is. The next run is the first slot after the
 * decided ones, never a time counted from now. So a late call neither loses nor doubles a slot.
 *
 * @param load the job's unfinished executions; matters for limited jobs only
 * @param unmet why the job's dependencies keep it from firing now; null when they do not
 */
export function planJob(job: DueJob, load: ConcurrencyLoad, unmet: string | null, now: Date): JobPlan {
  const rule = slotRuleOf(job);
  if (rule === null) {
    return {
      executions: [],
      move: { id: job.id, nextRunAt: null, status: 'ACTIVE' },
      replacesUnfinished: false,
    };
  }
  const { skipped } = job;
  const due = decideDueSlots(
    { ...job, slotsAfter: (after) => withoutSlots(slotsAfter(rule, after), skipped) },
    now,
  );
  const nextRunAt = nextRunAfter(job, due.plannedUntil, skipped);
  const admitted = unmet === null ? admitRuns(job, load, due.runs) : holdBack(job, due.runs, unmet);
  return {
    executions: due.skipped ? [skipOf(job, due.skipped, due), ...admitted.executions] : admitted.executions,
    move: { id: job.id, nextRunAt, status: nextRunAt === null ? 'COMPLETED' : 'ACTIVE' },
    replacesUnfinished: admitted.replacesUnfinished,
  };
}

type Decided = Pick<JobPlan, 'executions' | 'replacesUnfinished'>;

/** Skips the runs, with one row for all of them: after an outage there may be many. */
function holdBack(job: DueJob, runs: readonly DueRun[], unmet: string): Decided {
  const [first] = runs;
  const last = runs.at(-1);
  if (!first || !last) return { executions: [], replacesUnfinished: false };
  // The other slots of a run are in the row of missed slots already.
  const slotCount = runs.length;
  const range = `${first.scheduledAt.toISOString()} to ${last.scheduledAt.toISOString()}`;
  const skipped: PlannedExecution = {
    status: 'SKIPPED',
    ...rowOf(job, first.scheduledAt),
    trigger: first.trigger,
    availableAt: first.scheduledAt,
    slotCount,
    skipReason: 'DEPENDENCY_NOT_MET',
    errorMessage: slotCount === 1 ? unmet : `${unmet} This stands for ${slotCount} slots, ${range}.`,
  };
  return { executions: [skipped], replacesUnfinished: false };
}

/** Admits the runs one after the other. Each counts those before it. */
function admitRuns(job: DueJob, load: ConcurrencyLoad, runs: readonly DueRun[]): Decided {
  // Under REPLACE only the newest due run survives: each run would cancel the one before it at once.
  const newest = job.concurrencyPolicy === 'REPLACE' ? runs.at(-1) : undefined;
  const rest = runs.some(isOnTime) ? withoutCatchUps(job, load) : null;
  let { waiting, blocked } = rest ?? load;
  let replacesUnfinished = rest !== null;
  let isAnyOnTime = false;
  const executions = inTurn(job, runs).map((run): PlannedExecution => {
    if (newest !== undefined && run !== newest) return overlapOf(job, run, REPLACED_MESSAGE);
    switch (admit(job, { ...load, waiting, blocked })) {
      case 'run':
        waiting += 1;
        isAnyOnTime ||= isOnTime(run);
        return runOf(job, run, 'PENDING');
      case 'block':
        blocked += 1;
        return runOf(job, run, 'BLOCKED');
      case 'replace':
        replacesUnfinished = true;
        return runOf(job, run, leavesPlace(job, load) ? 'PENDING' : 'BLOCKED');
      case 'skip':
        return overlapOf(job, run, isAnyOnTime && !isOnTime(run) ? REPLACED_MESSAGE : overlapMessage(job));
    }
  });
  return { executions, replacesUnfinished };
}

/** Under FORBID the last runs may be skipped. So the on-time runs come first and the missed ones last. */
function inTurn({ concurrencyPolicy }: DueJob, runs: readonly DueRun[]): readonly DueRun[] {
  if (concurrencyPolicy !== 'FORBID') return runs;
  return [...runs.filter(isOnTime), ...runs.filter((run) => !isOnTime(run))];
}

function isOnTime({ trigger }: DueRun): boolean {
  return trigger === 'SCHEDULE';
}

function runOf(
  job: DueJob,
  { scheduledAt, trigger, standsFor }: DueRun,
  status: 'PENDING' | 'BLOCKED',
): PlannedExecution {
  return {
    status,
    ...rowOf(job, scheduledAt),
    trigger,
    availableAt: new Date(scheduledAt.getTime() + jitterFor(job.id, scheduledAt, job.jitterMs)),
    slotCount: standsFor,
    skipReason: null,
    errorMessage: null,
  };
}

function overlapOf(job: DueJob, { scheduledAt, trigger }: DueRun, errorMessage: string): PlannedExecution {
  return {
    status: 'SKIPPED',
    ...rowOf(job, scheduledAt),
    trigger,
    availableAt: scheduledAt,
    slotCount: 1,
    skipReason: 'OVERLAP',
    errorMessage,
  };
}

/**
 * One row for the whole range, at its first slot. After an outage of a day, one row for each slot would be too many.
 */
function skipOf(job: DueJob, { firstAt, lastAt, count }: SkippedSlots, due: DueDecision): PlannedExecution {
  const howMany = due.countIsExact ? `${count}` : `at least ${count}`;
  const cap = due.cappedAt === null ? '' : ` The policy runs at most ${due.cappedAt} of them.`;
  return {
    status: 'SKIPPED',
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
