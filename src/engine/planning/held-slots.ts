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

/** The inserted but uncommitted slots, and the reserved places for those that start at once. */
export interface HeldSlots {
  /** The instant of the slots; null when there are none. */
  scheduledAt: () => Date | null;
  /** Inserts the slots of an instant. Never throws: the planner plans the slots that fail here. */
  make: (instant: PrefetchedInstant) => Promise<void>;
  /**
   * Commits the slots and gives the claimed ones to the worker. Returns the jobs that certainly have a new next run.
   */
  commit: () => Promise<ReadonlySet<string>>;
  /** Rolls the slots back. */
  abandon: () => Promise<void>;
}

/** The rows say that the executions started at the instant. After a longer delay new rows are needed. */
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
