import { earliest } from '../../domain/schedule/earliest.ts';
import type { Clock } from '../../domain/values/clock.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';
import { nextPlanning } from '../../store/executions/planning.ts';
import { createQuarantine } from '../upkeep/quarantine.ts';
import { backlogUntil, createDuePlanning, type DuePlanningOptions } from './due-planning.ts';
import { NextRuns } from './next-runs.ts';
import type { SlotPrefetch } from './slot-prefetch.ts';

/** `onPlanned` does not report prefetched slots. */
export interface PlannerOptions extends Omit<DuePlanningOptions, 'quarantine' | 'monotonicMs'> {
  clock: Clock;
  /** The longest rest when nothing is due and nobody wakes the planner. */
  longestRestMs: number;
  slotPrefetch: Omit<SlotPrefetch, 'isStarting'>;
  /**
   * Resumes a batch of the jobs whose pause has ended. Returns when the next pause ends; this is in the past when
   * some are left.
   */
  resumePaused: () => Promise<Date | null>;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/**
 * How long before a slot its jobs are read. This is enough to prepare a thousand jobs, and few of them change in the
 * meantime.
 */
const PREFETCH_MS = 400;
/** A timer may fire this much too early. */
const EARLY_MS = 2;
/** The wait for a job that somebody else has locked, perhaps for long. The job is due or its pause has ended. */
const LOCKED_RETRY_MS = 50;

/**
 * Turns due slots into executions. It sleeps until the earliest job is due, and does not poll. Slots that can be
 * prefetched are made just before their instant (see {@link SlotPrefetch}). For all others the planner locks a batch of due
 * jobs, decides in domain/, and writes the batch in one transaction.
 *
 * After an outage it plans the backlog batch by batch. Before each batch it plans what has become due since, so that a
 * slot on time does not wait for the whole backlog.
 */
export function createPlanner(options: PlannerOptions): Loop {
  const { pool, clock, longestRestMs, slotPrefetch, resumePaused, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  const quarantine = createQuarantine(monotonicMs);
  const duePlanning = createDuePlanning({ ...options, quarantine, monotonicMs });
  const next = new NextRuns();

  async function step(): Promise<number> {
    const now = clock.now();
    const heldUntil = slotPrefetch.preparedFor();
    if (heldUntil !== null && heldUntil > now) {
      const restMs = heldUntil.getTime() - now.getTime();
      // The transaction locks jobs until then, so no other work may come in between.
      if (restMs <= PREFETCH_MS) return restMs;
      // The clock was set back.
      await slotPrefetch.abandon();
    }
    if (!isPast(slotPrefetch.nextAt(), now) && isPast(prepareAt(), now)) {
      await slotPrefetch.prepare();
      return untilEarliest(slotPrefetch.nextAt(), null);
    }
    if (isPast(slotPrefetch.nextAt(), now)) await startPrefetched();
    else if (!isPast(next.runAt, now) && !isTimeToPrefetch(now)) await look();
    if (isPast(next.runAt, now)) {
      const fresh = await duePlanning.planFresh(now);
      if (fresh.isMoreDue) return 0;
      await look();
    }
    if (isPast(next.pauseEndsAt, now)) next.setPauseEnd(await resumePaused());
    if (!isPast(next.runAt, now)) return prefetchNext();
    if (next.runAt > backlogUntil(now)) return LOCKED_RETRY_MS;
    const backlog = await duePlanning.planBacklog(now);
    return backlog.jobs > 0 ? 0 : LOCKED_RETRY_MS;
  }

  /** Also null when another job is due before the slots: it would wait for the open transaction. */
  function prepareAt(): Date | null {
    const slotAt = slotPrefetch.nextAt();
    if (slotAt === null) return null;
    const otherAt = notPrefetchedAt();
    return otherAt === null || otherAt >= slotAt ? slotPrefetch.prepareAt() : null;
  }

  /** When the next job without a prefetched slot is due. */
  const notPrefetchedAt = () => earliest(next.runAt, slotPrefetch.rememberedAt());

  /** Nobody has woken the planner, and the next run is near. The prefetch reads its job or remembers it. */
  function isTimeToPrefetch(now: Date): boolean {
    return next.isCurrent && slotPrefetch.nextAt() === null && isPast(notPrefetchedAt(), soonAfter(now));
  }

  async function look(): Promise<void> {
    const prefetched = { jobIds: slotPrefetch.jobIds(), from: slotPrefetch.nextAt() };
    await next.look(() => nextPlanning(pool, { except: quarantine.ids(), prefetched }));
  }

  async function startPrefetched(): Promise<void> {
    const { isAnyLeft, nextRunAt } = await slotPrefetch.start();
    next.addRun(nextRunAt);
    // The planner has not yet looked after a wake-up that came together with the slots.
    if (isAnyLeft || !next.isCurrent) await look();
  }

  /** Prefetches the next due slots when they are near. Returns how long to rest. */
  async function prefetchNext(): Promise<number> {
    const soon = soonAfter(clock.now());
    if (slotPrefetch.nextAt() === null && isPast(notPrefetchedAt(), soon)) await prefetch(soon);
    const runAt = notPrefetchedAt();
    const lookAt = runAt !== null && runAt > soon ? new Date(runAt.getTime() - PREFETCH_MS) : runAt;
    const prefetchedAt = earliest(prepareAt(), slotPrefetch.nextAt());
    return untilEarliest(earliest(prefetchedAt, lookAt), next.pauseEndsAt);
  }

  async function prefetch(until: Date): Promise<void> {
    if (next.isCurrent && !isPast(next.runAt, until)) {
      next.addRun(slotPrefetch.recall(until));
      return;
    }
    const isFound = await next.look(() => slotPrefetch.read(until, quarantine.ids()));
    if (!isFound) await look();
  }

  const untilEarliest = (dueAt: Date | null, pauseEndsAt: Date | null) =>
    Math.min(longestRestMs, msUntilEarliest(clock.now(), dueAt, pauseEndsAt));

  const loop = createLoop({ name: 'planner', step, onError });
  return extendLoop(loop, {
    wake() {
      next.noteWakeUp();
      loop.wake();
    },
    async stop() {
      await loop.stop();
      await slotPrefetch.abandon();
    },
  });
}

function msUntilEarliest(now: Date, dueAt: Date | null, pauseEndsAt: Date | null): number {
  const untilDueMs = dueAt === null ? Infinity : dueAt.getTime() - now.getTime();
  const untilPauseEndMs = pauseEndsAt === null ? Infinity : pauseEndsAt.getTime() - now.getTime();
  return Math.min(untilDueMs, untilPauseEndMs > 0 ? untilPauseEndMs : LOCKED_RETRY_MS);
}

function soonAfter(now: Date): Date {
  return new Date(now.getTime() + PREFETCH_MS + EARLY_MS);
}

function isPast(at: Date | null, moment: Date): at is Date {
  return at !== null && at <= moment;
}
