import { createLogger } from '../../logging/logger.ts';
import type { Worker } from '../running/worker.ts';
import { openSlots, type OpenSlots, type OpenSlotsOptions } from './open-slots.ts';
import { startsOf, type PrefetchedInstant } from './prefetched-instant.ts';

const logger = createLogger('Planner');

export interface HeldSlotsOptions extends OpenSlotsOptions {
  worker: Pick<Worker, 'placesFor' | 'keepPlaces' | 'take'>;
  /** Called after each commit of executions that wait for a place. */
  onWaiting: () => void;
}

/** The slots that are made and not committed yet, and the places that are kept for those that start at once. */
export interface HeldSlots {
  /** The instant that they are for; null where there are none. */
  scheduledAt: () => Date | null;
  /** Makes the slots of an instant. Never throws: what it cannot make is left to the planner. */
  make: (instant: PrefetchedInstant) => Promise<void>;
  /** Commits them and hands the claimed ones to the worker. Answers the jobs that have moved on for certain. */
  commit: () => Promise<ReadonlySet<string>>;
  /** Rolls them back. */
  abandon: () => Promise<void>;
}

/** The rows say that the executions started at the instant: after a longer delay they are made anew. */
const MAX_LATE_MS = 50;

export function createHeldSlots(options: HeldSlotsOptions): HeldSlots {
  const { clock, worker, onWaiting } = options;
  let open: OpenSlots | null = null;

  async function make(instant: PrefetchedInstant): Promise<void> {
    const { slots } = instant;
    const [first] = slots;
    if (!first) return;
    const starts = startsOf(instant, first.scheduledAt, worker.placesFor);
    worker.keepPlaces(slots.filter((_, index) => starts[index]).map(({ host }) => host));
    try {
      open = await openSlots(options, slots, starts, first.scheduledAt);
    } catch (error) {
      logger.warn('Slots could not be prepared; they are planned at their time', { error });
    }
    worker.keepPlaces(open?.claimed.map(({ host }) => host) ?? []);
  }

  async function commit(): Promise<ReadonlySet<string>> {
    if (open && clock.now().getTime() - open.scheduledAt.getTime() > MAX_LATE_MS) await abandon();
    if (!open) return new Set();
    const committing = open.commit();
    open = null;
    const committed = await committing;
    worker.keepPlaces([]);
    if (!committed) return new Set();
    const { movedJobIds, executionIds, claimed } = committed;
    worker.take(claimed);
    if (claimed.length < executionIds.length) onWaiting();
    logger.debug('Started', { executions: executionIds.length, claimed: claimed.length });
    return movedJobIds;
  }

  async function abandon(): Promise<void> {
    const abandoned = open;
    open = null;
    if (!abandoned) return;
    await abandoned.rollback();
    worker.keepPlaces([]);
  }

  return { scheduledAt: () => open?.scheduledAt ?? null, make, commit, abandon };
}
