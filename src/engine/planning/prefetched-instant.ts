import { earliest } from '../../domain/schedule/earliest.ts';
import { plainSlotOf } from '../../domain/schedule/plain-slot.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { createLogger } from '../../logging/logger.ts';
import type { UpcomingJob } from '../../store/executions/planning.ts';
import { MAX_COMMIT_MS, type PrefetchedSlot } from './open-slots.ts';

const logger = createLogger('Planner');

/** The slots of one instant. One read gives all their jobs. */
export interface PrefetchedInstant {
  slots: PrefetchedSlot[];
  /** Their jobs, by id. */
  jobs: ReadonlyMap<string, UpcomingJob>;
  /** Jobs of the same read whose slots the planner plans. */
  left: readonly UpcomingJob[];
}

export const NO_INSTANT: PrefetchedInstant = { slots: [], jobs: new Map(), left: [] };

/** The computing stops after this time, because it blocks all other work. */
const COMPUTING_MS = 100;
/** How long before the instant the transaction opens: a fixed time, and a time for each slot. */
const AHEAD_MS = 20;
const AHEAD_MS_PER_SLOT = 0.25;
/**
 * The prefetch leaves a slot to the planner when the slot would be missed after this time. The instance may freeze,
 * and another instance must still plan the slot on time.
 */
const MAX_HELD_MS = MAX_COMMIT_MS + 500;

/** @param jobs in the order of their next runs; the instant is the next run of the first */
export function prefetchedInstantOf(
  jobs: readonly UpcomingJob[],
  monotonicMs: () => number,
): PrefetchedInstant {
  const enoughAtMs = monotonicMs() + COMPUTING_MS;
  const instantMs = jobs[0]?.nextRunAt.getTime();
  const slots: PrefetchedSlot[] = [];
  const slotJobs = new Map<string, UpcomingJob>();
  const left: UpcomingJob[] = [];
  for (const job of jobs) {
    const isNow = job.nextRunAt.getTime() === instantMs && monotonicMs() < enoughAtMs;
    const slot = isNow ? prefetchedSlotOf(job) : null;
    if (slot) {
      slots.push(slot);
      slotJobs.set(job.id, job);
    } else left.push(job);
  }
  return { slots, jobs: slotJobs, left };
}

/** When to open the transaction of an instant; null when it has no slots. */
export function openAt({ slots }: PrefetchedInstant): Date | null {
  const [first] = slots;
  if (!first) return null;
  const aheadMs = AHEAD_MS + AHEAD_MS_PER_SLOT * slots.length;
  return new Date(first.scheduledAt.getTime() - aheadMs);
}

export function earliestRunOf(jobs: readonly UpcomingJob[]): Date | null {
  return jobs.reduce<Date | null>((at, { nextRunAt }) => earliest(at, nextRunAt), null);
}

/**
 * Which slots start at once. Jobs with a higher priority that the planner plans keep their places.
 *
 * @param placesFor takes the hosts of executions; tells which of them get a place
 */
export function startsOf(
  { slots, left }: PrefetchedInstant,
  at: Date,
  placesFor: (hosts: readonly string[]) => boolean[],
): boolean[] {
  const lowest = Math.min(...slots.map(({ priority }) => priority));
  const first = left.filter(({ priority, nextRunAt }) => priority > lowest && nextRunAt <= at);
  const places = placesFor([...first, ...slots].map(({ host }) => host)).slice(first.length);
  return slots.map(({ availableAt }, index) => availableAt <= at && (places[index] ?? false));
}

/**
 * Null in three cases: other facts than the job's own decide about its slot, the slot must not be held, or planning
 * fails.
 */
function prefetchedSlotOf(job: UpcomingJob): PrefetchedSlot | null {
  try {
    const slot = plainSlotOf(job);
    if (!slot || slot.onTimeUntil.getTime() < slot.scheduledAt.getTime() + MAX_HELD_MS) return null;
    return { ...slot, version: job.version, host: job.host };
  } catch (error) {
    logger.debug('A slot cannot be prefetched', { jobId: encodePublicId('Job', job.id), error });
    return null;
  }
}
