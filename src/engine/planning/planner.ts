import { earliest } from '../../domain/schedule/earliest.ts';
import type { Clock } from '../../domain/values/clock.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';
import { nextPlanning } from '../../store/executions/planning.ts';
import { createQuarantine } from '../upkeep/quarantine.ts';
import { backlogUntil, createDuePlanning, type DuePlanningOptions } from './due-planning.ts';
import { NextRuns } from './next-runs.ts';
import type { SlotPrefetch } from './slot-prefetch.ts';

/** Slots that are started as prefetched are not told of as planned. */
export interface PlannerOptions extends Omit<DuePlanningOptions, 'quarantine' | 'monotonicMs'> {
  clock: Clock;
  /** The longest sleep, where nothing is due and nobody wakes it. */
  longestRestMs: number;
  slotPrefetch: Omit<SlotPrefetch, 'isStarting'>;
  /** Resumes a batch of the jobs whose pause has ended; answers when the next pause ends: in the past where some are left. */
  resumePaused: () => Promise<Date | null>;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/** So long before a slot its jobs are read: enough to prepare a thousand, little enough that few of them change meanwhile. */
const PREFETCH_MS = 400;
/** A timer may be this much early. */
const EARLY_MS = 2;
/** A job that is due, or whose pause has ended, and that could not be taken is held by somebody, perhaps for long. */
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
      // The transaction holds jobs until then, and nothing else may come between.
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

  /** Null, too, where another job is due before the slots: it would wait for the open transaction. */
  function prepareAt(): Date | null {
    const slotAt = slotPrefetch.nextAt();
    if (slotAt === null) return null;
    const otherAt = notPrefetchedAt();
    return otherAt === null || otherAt >= slotAt ? slotPrefetch.prepareAt() : null;
  }

  /** When the next job is due whose slot is not prefetched. */
  const notPrefetchedAt = () => earliest(next.runAt, slotPrefetch.rememberedAt());

  /** Nobody has woken the planner, and what comes next is near: the prefetch reads it, or remembers it. */
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
    // A wake-up that came just as the slots came is not looked into yet.
    if (isAnyLeft || !next.isCurrent) await look();
  }

  /** Prefetches what is due next as soon as that is near; answers how long to rest. */
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
