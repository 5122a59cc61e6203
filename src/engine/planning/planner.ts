import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import { earliest } from '../../domain/schedule/earliest.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { createLogger } from '../../logging/logger.ts';
import { isAway } from '../../store/statements/failures.ts';
import { nextPlanning, type DueRange, type NextPlanning } from '../../store/executions/planning.ts';
import { inTransaction } from '../../store/statements/sql.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';
import type { SlotPrefetch } from './slot-prefetch.ts';
import { NOTHING, planBatch, type PlannedBatch } from './plan-batch.ts';
import { createQuarantine } from '../upkeep/quarantine.ts';

const logger = createLogger('Planner');

export interface PlannerOptions {
  pool: Pool;
  clock: Clock;
  /** The longest sleep, where nothing is due and nobody wakes it. */
  longestRestMs: number;
  slotPrefetch: Omit<SlotPrefetch, 'isStarting'>;
  /** Draws the ids of entries of the audit log. */
  newId: (now: Date) => string;
  /** Resumes a batch of the jobs whose pause has ended; answers when the next pause ends: in the past where some are left. */
  resumePaused: () => Promise<Date | null>;
  /** Called after each batch that planned something. Slots that are started as prefetched do not count. */
  onPlanned: (planned: Pick<PlannedBatch, 'isAnythingBlocked' | 'isReplacing'>) => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/** A job that has been due for longer than this waits for those that have just become due. */
const BACKLOG_AFTER_MS = 60_000;
const EVER = new Date(0);
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
  const { pool, clock, longestRestMs, slotPrefetch, newId, resumePaused, onPlanned, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  const quarantine = createQuarantine(monotonicMs);
  /** What comes next apart from prefetched slots, as of the last look. A later change can only add to it. */
  let next: NextPlanning = { runAt: null, pauseEndsAt: null };
  /** How often the planner was woken, and how many of these wake-ups `next` covers. */
  let wakeUps = 0;
  let covered = 0;

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
      const fresh = await planFresh(now);
      if (fresh.isMoreDue) return 0;
      await look();
    }
    if (isPast(next.pauseEndsAt, now)) next = { ...next, pauseEndsAt: await resumePaused() };
    if (!isPast(next.runAt, now)) return prefetchNext();
    const until = backlogUntil(now);
    if (next.runAt > until) return LOCKED_RETRY_MS;
    const backlog = await plan({ ...ofAll(), after: EVER, until }, now);
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
    return covered === wakeUps && slotPrefetch.nextAt() === null && isPast(notPrefetchedAt(), soonAfter(now));
  }

  async function look(): Promise<void> {
    const covers = wakeUps;
    const prefetched = { jobIds: slotPrefetch.jobIds(), from: slotPrefetch.nextAt() };
    next = await nextPlanning(pool, { except: quarantine.ids(), prefetched });
    covered = covers;
  }

  async function startPrefetched(): Promise<void> {
    const { isAnyLeft, nextRunAt } = await slotPrefetch.start();
    next = { ...next, runAt: earliest(next.runAt, nextRunAt) };
    // A wake-up that came just as the slots came is not looked into yet.
    if (isAnyLeft || covered < wakeUps) await look();
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
    if (covered === wakeUps && !isPast(next.runAt, until)) {
      next = { ...next, runAt: earliest(next.runAt, slotPrefetch.recall(until)) };
      return;
    }
    const covers = wakeUps;
    const apart = await slotPrefetch.read(until, quarantine.ids());
    if (apart === null) return look();
    next = apart;
    covered = covers;
  }

  const ofAll = () => ({ except: quarantine.ids(), only: null });

  /** Plans a batch of what has become due of late. */
  const planFresh = (now: Date) => plan({ ...ofAll(), after: backlogUntil(now), until: now }, now);

  /** Plans a batch; or each of its jobs by itself, where one of them keeps all from being written. */
  async function plan(range: DueRange, now: Date): Promise<PlannedBatch> {
    let taken: string[] = [];
    try {
      return await planTogether(range, now, (jobIds) => (taken = jobIds));
    } catch (error) {
      if (isAway(error) || taken.length === 0) throw error;
      logger.warn('A batch of jobs could not be planned; each is planned by itself', { error });
    }
    for (const only of taken) {
      await planTogether({ ...range, only }, now).catch((error: unknown) => {
        if (isAway(error)) throw error;
        leaveAlone(only, error);
      });
    }
    return { ...NOTHING, isMoreDue: true };
  }

  function leaveAlone(jobId: string, error: unknown): void {
    logger.error('A job cannot be planned; it is tried again later', {
      jobId: encodePublicId('Job', jobId),
      ...quarantine.add(jobId),
      error,
    });
  }

  async function planTogether(
    range: DueRange,
    now: Date,
    onTaken: (jobIds: string[]) => void = () => undefined,
  ): Promise<PlannedBatch> {
    const batch = await inTransaction(pool, (tx) =>
      planBatch(tx, range, now, { monotonicMs, newId, onTaken }),
    );
    if (batch.executions > 0) onPlanned(batch);
    return batch;
  }

  function untilEarliest(dueAt: Date | null, pauseEndsAt: Date | null): number {
    const nowMs = clock.now().getTime();
    const untilDueMs = dueAt === null ? Infinity : dueAt.getTime() - nowMs;
    const untilPauseEndMs = pauseEndsAt === null ? Infinity : pauseEndsAt.getTime() - nowMs;
    return Math.min(longestRestMs, untilDueMs, untilPauseEndMs > 0 ? untilPauseEndMs : LOCKED_RETRY_MS);
  }

  const loop = createLoop({ name: 'planner', step, onError });
  return extendLoop(loop, {
    wake() {
      wakeUps += 1;
      loop.wake();
    },
    async stop() {
      await loop.stop();
      await slotPrefetch.abandon();
    },
  });
}

function backlogUntil(now: Date): Date {
  return new Date(now.getTime() - BACKLOG_AFTER_MS);
}

function soonAfter(now: Date): Date {
  return new Date(now.getTime() + PREFETCH_MS + EARLY_MS);
}

function isPast(at: Date | null, moment: Date): at is Date {
  return at !== null && at <= moment;
}
