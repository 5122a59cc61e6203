import type { PlannedRule, PlannedSchedules } from './planned.ts';
import { nextSlot } from './schedule-slots.ts';

/** A run that a schedule names. */
export interface PlannedRun {
  jobId: string;
  at: Date;
}

/** The next slot of a rule. */
interface Due {
  planned: PlannedRule;
  at: Date;
}

/**
 * The first `limit` runs at or after an instant, soonest first, without the skipped slots. Runs of the same instant
 * come in order of their job id.
 *
 * Yields after each rule and each slot. There the caller can let other work run, or stop.
 *
 * @param to the runs lie before this instant; null for no end
 */
export function* plannedRuns(
  { rules, skipped }: PlannedSchedules,
  { from, to, limit }: { from: Date; to: Date | null; limit: number },
): Generator<void, PlannedRun[], undefined> {
  const passedOver = new Set(skipped.map(({ jobId, scheduledAt }) => nameOf(jobId, scheduledAt)));
  const due: Due[] = [];
  for (const planned of rules) {
    due.push(...dueAfter(planned, new Date(from.getTime() - 1), to));
    yield;
  }
  // The soonest stands last, because the end of an array is cheap to take from.
  due.sort((a, b) => b.at.getTime() - a.at.getTime());

  const runs: PlannedRun[] = [];
  for (let next = due.at(-1); next && runs.length < limit; next = due.at(-1)) {
    const { at } = next;
    const sameInstant = takeFrom(due, at);
    const jobIds = sameInstant.flatMap(({ planned }) => planned.jobIds).sort();
    const unlessSkipped = jobIds.filter((jobId) => !passedOver.has(nameOf(jobId, at)));
    runs.push(...unlessSkipped.slice(0, limit - runs.length).map((jobId) => ({ jobId, at })));
    for (const { planned } of sameInstant) {
      for (const later of dueAfter(planned, at, to)) due.splice(placeOf(due, later.at), 0, later);
    }
    yield;
  }
  return runs;
}

/** One entry, or none when the rule has no slot left. */
function dueAfter(planned: PlannedRule, after: Date, to: Date | null): Due[] {
  const at = nextSlot(planned.rule, after);
  return at === null || (to !== null && at >= to) ? [] : [{ planned, at }];
}

/** Takes all entries of the soonest instant. */
function takeFrom(due: Due[], at: Date): Due[] {
  return due.splice(placeOf(due, at));
}

/** The index of an instant in the queue: behind all later entries, before all others. */
function placeOf(due: readonly Due[], at: Date): number {
  let [low, high] = [0, due.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = due[middle];
    if (other && other.at > at) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nameOf(jobId: string, at: Date): string {
  return `${jobId} ${at.getTime()}`;
}
