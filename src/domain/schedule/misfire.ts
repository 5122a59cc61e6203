import { SECOND_MS } from './cron-wall.ts';

/** What the planner does with slots that no instance planned in time. */
export type MisfirePolicy = 'RUN_ONCE' | 'RUN_ALL' | 'SKIP';

/** A job whose next slot has come. */
export interface DueJob {
  readonly misfirePolicy: MisfirePolicy;
  /** A slot is on time until it is older than this. */
  readonly misfireGraceMs: number;
  /** The earliest slot that is not planned yet. */
  readonly nextRunAt: Date;
  /** The job's slots strictly after an instant, in order. Each is computed when the caller takes it. */
  readonly slotsAfter: (after: Date) => Iterable<Date>;
}

/** A slot that becomes an execution. */
export interface DueRun {
  readonly scheduledAt: Date;
  readonly trigger: 'SCHEDULE' | 'CATCH_UP';
  /** How many slots this run stands for, with its own; above 1 only under RUN_ONCE. */
  readonly standsFor: number;
}

/** Missed slots that do not run, as one entry. */
export interface SkippedSlots {
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly count: number;
}

export interface DueDecision {
  /** In order of their slots. */
  readonly runs: readonly DueRun[];
  readonly skipped: SkippedSlots | null;
  /** False when the job missed more than {@link MAX_COUNTED_SLOTS} slots: the counts are then a lower bound. */
  readonly countIsExact: boolean;
  /** How many missed slots RUN_ALL may run, when there are more; else null. */
  readonly cappedAt: number | null;
  /** The next slot to plan is the first one after this instant. */
  readonly plannedUntil: Date;
}

/**
 * How many slots of one job one decision turns into executions: at most so many missed ones and so many on-time ones.
 */
export const MAX_RUNS_PER_DECISION = 1000;
/** Counting a slot takes about a microsecond. This is more than one slot a second for a day. */
export const MAX_COUNTED_SLOTS = 100_000;

/**
 * Decides what all due slots of a job become. Slots younger than the grace are on time and run as SCHEDULE. Older
 * ones are missed, after an outage or a clock that jumped. The policy says which missed slots run as CATCH_UP: the
 * latest (RUN_ONCE), all (RUN_ALL: the latest `maxRuns`, in order) or none (SKIP). The missed slots that do not run
 * come back as one range, not as a row for each.
 *
 * The two limits bound the work, however long the outage was.
 */
export function decideDueSlots(job: DueJob, now: Date, maxRuns = MAX_RUNS_PER_DECISION): DueDecision {
  const onTimeFrom = new Date(Math.max(now.getTime() - job.misfireGraceMs, job.nextRunAt.getTime()));
  const missed = decideMissed(job, onTimeFrom, maxRuns);
  const onTime = takeSlots(job, onTimeFrom, after(now), maxRuns + 1);
  const planned = onTime.slice(0, maxRuns);
  const last = planned.at(-1);
  return {
    ...missed,
    runs: [
      ...missed.runs,
      ...planned.map((scheduledAt): DueRun => ({ scheduledAt, trigger: 'SCHEDULE', standsFor: 1 })),
    ],
    // With a long grace there may be more on-time slots than one decision takes. The next decision continues here.
    plannedUntil: onTime.length > maxRuns && last ? last : now,
  };
}

function decideMissed(job: DueJob, until: Date, maxRuns: number): Omit<DueDecision, 'plannedUntil'> {
  const { firstAt, count, exact } = countSlots(job, until);
  const runnable = { RUN_ONCE: 1, RUN_ALL: maxRuns, SKIP: 0 }[job.misfirePolicy];
  // The one slot more than may run is the last skipped slot.
  const latest = latestSlots(job, until, Math.min(count, runnable + 1));
  const runs = latest.slice(Math.max(latest.length - runnable, 0));
  const lastAt = latest.at(-1 - runs.length);
  const skippedCount = count - runs.length;
  const standsFor = job.misfirePolicy === 'RUN_ONCE' ? count : 1;
  return {
    runs: runs.map((scheduledAt) => ({ scheduledAt, trigger: 'CATCH_UP', standsFor })),
    skipped: firstAt && lastAt && skippedCount > 0 ? { firstAt, lastAt, count: skippedCount } : null,
    countIsExact: exact,
    cappedAt: job.misfirePolicy === 'RUN_ALL' && skippedCount > 0 ? maxRuns : null,
  };
}

function countSlots(job: DueJob, until: Date): { firstAt: Date | null; count: number; exact: boolean } {
  let firstAt: Date | null = null;
  let count = 0;
  for (const slot of job.slotsAfter(before(job.nextRunAt))) {
    if (slot >= until) break;
    if (count === MAX_COUNTED_SLOTS) return { firstAt, count, exact: false };
    firstAt ??= slot;
    count += 1;
  }
  return { firstAt, count, exact: true };
}

/**
 * The last `count` slots before an instant. Slots can be listed forwards only, and listing a year of seconds would
 * delay every other job. So this finds the place to start by halving.
 */
function latestSlots(job: DueJob, until: Date, count: number): Date[] {
  if (count === 0) return [];
  let earlyEnoughMs = job.nextRunAt.getTime();
  let tooLateMs = until.getTime();
  while (tooLateMs - earlyEnoughMs > SECOND_MS) {
    const middleMs = Math.floor((earlyEnoughMs + tooLateMs) / 2);
    if (takeSlots(job, new Date(middleMs), until, count).length === count) earlyEnoughMs = middleMs;
    else tooLateMs = middleMs;
  }
  return takeSlots(job, new Date(earlyEnoughMs), until, Infinity).slice(-count);
}

/** The first slots in [from, until), at most `limit`. */
function takeSlots(job: DueJob, from: Date, until: Date, limit: number): Date[] {
  const slots: Date[] = [];
  for (const slot of job.slotsAfter(before(from))) {
    if (slot >= until || slots.length === limit) break;
    slots.push(slot);
  }
  return slots;
}

function before(instant: Date): Date {
  return new Date(instant.getTime() - 1);
}

function after(instant: Date): Date {
  return new Date(instant.getTime() + 1);
}
