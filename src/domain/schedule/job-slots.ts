import type { JobDefinition, JobStatus } from '../job/job-definition.ts';
import { parseSchedule, type Schedule } from './schedule.ts';
import { isSlot, nextSlot, slotsAfter, type SlotRule } from './schedule-slots.ts';

/** The fields of a job that decide its slots. */
export type SlotFacts = Pick<
  JobDefinition,
  'schedule' | 'timezone' | 'runAt' | 'startAt' | 'endAt' | 'dstGapPolicy' | 'dstOverlapPolicy'
> & { createdAt: Date };

/**
 * The rule of a job's slots; null when the job has neither schedule nor runAt.
 *
 * @throws Error when the stored schedule is not valid; the checks on input rule this out
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

/**
 * The first slot after an instant; null when the job has no schedule or no slot left.
 *
 * @param skipped slots that a user skipped; the result is none of them
 */
export function nextRunAfter(job: SlotFacts, after: Date, skipped: readonly Date[] = []): Date | null {
  const rule = slotRuleOf(job);
  if (rule === null) return null;
  if (skipped.length === 0) return nextSlot(rule, after);
  const [first] = takeSlots(withoutSlots(slotsAfter(rule, after), skipped), 1);
  return first ?? null;
}

/** Whether a job's schedule names an instant. */
export function namesSlot(job: SlotFacts, at: Date): boolean {
  const rule = slotRuleOf(job);
  return rule !== null && isSlot(rule, at);
}

/** The slots without the skipped ones. */
export function* withoutSlots(
  slots: Iterable<Date>,
  skipped: readonly Date[],
): Generator<Date, void, undefined> {
  const passedOver = new Set(skipped.map((slot) => slot.getTime()));
  for (const slot of slots) if (!passedOver.has(slot.getTime())) yield slot;
}

/** Whether an instant is one of the job's slots, and the slots next to it. */
export interface SlotPlace {
  isSlot: boolean;
  /** The last slot before the instant and after `from`; null when there is none. */
  before: Date | null;
  /** The first slot after the instant; null when there is none. */
  after: Date | null;
}

/** How far back the search for the slot before an instant goes. Most wrong guesses are closer than that. */
const LOOK_BACK_MS = [60_000, 3_600_000, 24 * 3_600_000, 32 * 24 * 3_600_000];

/** Places an instant among the slots of a job that lie after `from`. */
export function placeAmongSlots(job: SlotFacts, at: Date, from: Date): SlotPlace {
  const rule = slotRuleOf(job);
  if (rule === null) return { isSlot: false, before: null, after: null };
  const isSlot = nextSlot(rule, new Date(at.getTime() - 1))?.getTime() === at.getTime();
  return { isSlot, before: slotBefore(rule, at, from), after: nextSlot(rule, at) };
}

/** Slots can be listed forwards only. So this starts a minute before, then an hour before, and so on. */
function slotBefore(rule: SlotRule, at: Date, from: Date): Date | null {
  for (const lookBackMs of LOOK_BACK_MS) {
    let last: Date | null = null;
    for (const slot of slotsAfter(rule, new Date(Math.max(at.getTime() - lookBackMs, from.getTime())))) {
      if (slot >= at) break;
      last = slot;
    }
    if (last !== null) return last;
  }
  return null;
}

/**
 * The first slot of a definition that is new or that changes at `now`. A one-off that is late by at most the misfire
 * grace still runs: "now" works however long the request takes to arrive. A schedule has no slots in the past.
 */
export function firstRunAt(job: SlotFacts & { misfireGraceMs: number }, now: Date): Date | null {
  const after = job.runAt === null ? now : new Date(now.getTime() - job.misfireGraceMs - 1);
  return nextRunAfter(job, after);
}

/**
 * The next slot of a job whose definition changes from `before` to `after` at `now`.
 *
 * A due slot may still wait for its plan. When both definitions name it, it stays: a change of another field must not
 * lose it.
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

/**
 * The next runs of a job, for display; none when the job is not active.
 *
 * @param skipped slots that a user skipped; they are not among the runs
 */
export function upcomingRuns(
  job: SlotFacts & { status: JobStatus },
  after: Date,
  count: number,
  skipped: readonly Date[] = [],
): Date[] {
  const rule = job.status === 'ACTIVE' ? slotRuleOf(job) : null;
  return rule === null ? [] : takeSlots(withoutSlots(slotsAfter(rule, after), skipped), count);
}

function takeSlots(slots: Iterable<Date>, count: number): Date[] {
  const taken: Date[] = [];
  if (count <= 0) return taken;
  for (const slot of slots) {
    taken.push(slot);
    if (taken.length === count) break;
  }
  return taken;
}
