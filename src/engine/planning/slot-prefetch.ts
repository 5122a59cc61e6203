import type { Pool } from 'pg';
import { earliest } from '../../domain/schedule/earliest.ts';
import { readUpcoming, type NextPlanning, type UpcomingJob } from '../../store/executions/planning.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import { createHeldSlots, type HeldSlotsOptions } from './held-slots.ts';
import { earliestRunOf, NO_INSTANT, openAt, prefetchedInstantOf } from './prefetched-instant.ts';
import { RememberedJobs } from './remembered-jobs.ts';

export interface SlotPrefetchOptions extends HeldSlotsOptions {
  pool: Queryable & Pick<Pool, 'connect'>;
  monotonicMs?: () => number;
}

/** The result of starting the prefetched slots of an instant. */
export interface Started {
  /** The earliest next run of their jobs without the remembered jobs; null when there is none. */
  nextRunAt: Date | null;
  /** Whether the planner must look for jobs that are still due: they changed, are locked, or were not ready in time. */
  isAnyLeft: boolean;
}

/**
 * The slots of the next instant, inserted before it comes.
 *
 * The prefetch reads the jobs shortly before their slot, and computes what the slot becomes. Just before the instant
 * it opens a transaction, inserts the executions, claims those that have a place, and sets the next runs of the jobs.
 * It commits at the instant. Until then nobody sees these rows, and a process that dies leaves nothing behind.
 *
 * The statement takes a job only if its version and next run have not changed since the read. Otherwise the planner
 * plans the slot. A command that changes a job while the transaction is open waits for the commit. Other instances
 * skip the locked jobs.
 */
export interface SlotPrefetch {
  /** The instant of the prefetched slots; null when there are none. */
  nextAt: () => Date | null;
  /** When to call `prepare`; null when that is done or not needed. */
  prepareAt: () => Date | null;
  /** The instant for which the transaction is open; null when none is open. */
  preparedFor: () => Date | null;
  jobIds: () => string[];
  /** The earliest next run of the remembered jobs: their slots have just started, and the next ones come soon. */
  rememberedAt: () => Date | null;
  /**
   * Reads the jobs that are due up to an instant, and prefetches the slots of the earliest instant. This replaces
   * earlier prefetched or remembered jobs.
   *
   * @returns the next runs and pause ends without these slots; null when nothing is due so soon
   */
  read: (until: Date, except: readonly string[]) => Promise<NextPlanning | null>;
  /**
   * Prefetches from the remembered jobs instead of reading them again.
   *
   * @returns the earliest next run of a due job whose slot is not prefetched
   */
  recall: (until: Date) => Date | null;
  /**
   * Inserts the executions in a transaction that stays open. Never throws: the planner plans the slots that fail
   * here.
   */
  prepare: () => Promise<void>;
  /** Whether slots are about to start their calls. */
  isStarting: () => boolean;
  /** Commits at the instant and gives the claimed executions to the worker. */
  start: () => Promise<Started>;
  /** Rolls the prepared slots back. */
  abandon: () => Promise<void>;
}

/** The planner plans further jobs of the same instant. */
const MAX_PREFETCHED = 1_000;

export function createSlotPrefetch(options: SlotPrefetchOptions): SlotPrefetch {
  const { pool, clock } = options;
  const { monotonicMs = () => performance.now() } = options;
  const held = createHeldSlots(options);
  const remembered = new RememberedJobs();
  let instant = NO_INSTANT;
  let isPrepareTried = false;
  let isStarting = false;

  async function read(until: Date, except: readonly string[]): Promise<NextPlanning | null> {
    await held.abandon();
    remembered.forget();
    prefetch([]);
    const { jobs, apart } = await readUpcoming(pool, until, { except, limit: MAX_PREFETCHED });
    return apart && { ...apart, runAt: earliest(apart.runAt, prefetch(jobs)) };
  }

  /** Returns the earliest next run of the jobs that it leaves to the planner. */
  function prefetch(jobs: readonly UpcomingJob[]): Date | null {
    instant = prefetchedInstantOf(jobs, monotonicMs);
    isPrepareTried = false;
    return earliestRunOf(instant.left);
  }

  async function prepare(): Promise<void> {
    isPrepareTried = true;
    await held.make(instant);
  }

  async function start(): Promise<Started> {
    isStarting = true;
    try {
      return await startPrepared();
    } finally {
      isStarting = false;
    }
  }

  async function startPrepared(): Promise<Started> {
    const { slots, jobs } = instant;
    prefetch([]);
    const moved = await held.commit();
    const now = clock.now();
    let nextRunAt: Date | null = null;
    for (const slot of slots) {
      if (moved.has(slot.jobId) && !remembered.add(jobs.get(slot.jobId), slot.nextRunAt, now))
        nextRunAt = earliest(nextRunAt, slot.nextRunAt);
    }
    return { nextRunAt, isAnyLeft: moved.size < slots.length };
  }

  return {
    nextAt: () => instant.slots[0]?.scheduledAt ?? null,
    prepareAt: () => (isPrepareTried ? null : openAt(instant)),
    preparedFor: () => held.scheduledAt(),
    jobIds: () => instant.slots.map(({ jobId }) => jobId),
    rememberedAt: () => remembered.nextRunAt,
    read,
    recall: (until) => prefetch(remembered.take(until)),
    prepare,
    isStarting: () => isStarting,
    start,
    abandon: held.abandon,
  };
}
