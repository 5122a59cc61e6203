import type { JobDefinition, JobStatus } from './job-definition.ts';
import { parseSchedule, type Schedule } from './schedule.ts';
import { nextSlot, type SlotRule, upcomingSlots } from './schedule-slots.ts';

/** What of a job decides its slots. */
export type SlotFacts = Pick<
  JobDefinition,
  'schedule' | 'timezone' | 'runAt' | 'startAt' | 'endAt' | 'dstGapPolicy' | 'dstOverlapPolicy'
> & { createdAt: Date };

/**
 * The rule of a job's slots; null where it has neither schedule nor runAt.
 *
 * @throws Error where the stored schedule cannot be read, which the checks on the way in rule out
 */
export function slotRuleOf(job: SlotFacts): SlotRule | null {
  const schedule = scheduleOf(job);
  if (schedule === null) return null;
  const { timezone, startAt, endAt, dstGapPolicy, dstOverlapPolicy } = job;
  return {
    schedule,
    timezone,
    anchorAt: startAt ?? job.createdAt,
    startAt,
    endAt,
    dstGapPolicy,
    dstOverlapPolicy,
  };
}

function scheduleOf({ schedule, runAt }: SlotFacts): Schedule | null {
  if (runAt !== null) return { kind: 'ONCE', runAt };
  if (schedule === null) return null;
  const parsed = parseSchedule(schedule);
  if (parsed.kind === 'INVALID') throw new Error(`A stored schedule cannot be read: ${parsed.message}`);
  return parsed;
}

/** The first slot after an instant; null where the job has no schedule, or none of its slots is left. */
export function nextRunAfter(job: SlotFacts, after: Date): Date | null {
  const rule = slotRuleOf(job);
  return rule === null ? null : nextSlot(rule, after);
}

/**
 * The first slot of a definition that is new or was changed at `now`. A one-off that is late by no more than the
 * misfire grace still runs, so that "now" works whatever the request took to arrive; a schedule has no past.
 */
export function firstRunAt(job: SlotFacts & { misfireGraceMs: number }, now: Date): Date | null {
  const after = job.runAt === null ? now : new Date(now.getTime() - job.misfireGraceMs - 1);
  return nextRunAfter(job, after);
}

/**
 * The next slot of a job whose definition was changed from `before` to `after` at `now`.
 *
 * A slot that was due but not yet planned belongs to both definitions where both name it, and must not be lost to
 * a change of something else.
 */
export function nextRunAfterChange(
  before: { nextRunAt: Date | null },
  after: SlotFacts & { misfireGraceMs: number },
  now: Date,
): Date | null {
  const due = before.nextRunAt;
  if (due !== null && due <= now) {
    const sameSlot = nextRunAfter(after, new Date(due.getTime() - 1));
    if (sameSlot?.getTime() === due.getTime()) return due;
  }
  return firstRunAt(after, now);
}

/** The next runs of a job, for showing them; none where it is not active. */
export function upcomingRuns(job: SlotFacts & { status: JobStatus }, after: Date, count: number): Date[] {
  const rule = job.status === 'ACTIVE' ? slotRuleOf(job) : null;
  return rule === null ? [] : upcomingSlots(rule, after, count);
}
