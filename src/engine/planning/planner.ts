import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import { earliest } from '../../domain/schedule/earliest.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { createLogger } from '../../logging/logger.ts';
import { isAway } from '../../store/statements/failures.ts';
import { nextPlanning, type DueRange, type NextPlanning } from '../../store/executions/planning.ts';
import { inTransaction } from '../../store/statements/sql.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';
import type { Burst } from './burst.ts';
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
  burst: Pick<Burst, 'heldUntil' | 'commit'>;
  /** Draws the ids of entries of the audit log. */
  newId: (now: Date) => string;
  /** Takes up a batch of the jobs whose pause has ended; answers when the next one ends: past where any of them are left. */
  resumePaused: () => Promise<Date | null>;
  /** Called after each batch that planned something; not for what was foreseen, of which the slot prefetch tells. */
  onPlanned: (planned: Pick<PlannedBatch, 'isAnythingBlocked' | 'isReplacing'>) => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/** A job that has been due for longer than this waits for those that have just become due. */
const BACKLOG_AFTER_MS = 60_000;
const EVER = new Date(0);
/** So long before a slot its jobs are read, or remembered: enough for the read, little for changes that make it worthless. */
const FORESIGHT_MS = 200;
/** A timer may be this much early. */
const EARLY_MS = 2;
/** A job that is due, or whose pause has ended, and that could not be taken is held by somebody, perhaps for long. */
const LOCKED_RETRY_MS = 50;

/**
 * Turns due slots into executions. Sleeps until the earliest job is due, not from poll to poll. What was foreseen, and is as it
 * was, is started as the {@link SlotPrefetch} does it; of all else the planner takes batches that no other instance has locked,
 * decides in domain/, and writes each batch in one transaction.
 *
 * What an outage has left behind is planned batch by batch, and before each of them what has become due since: the
 * earliest first would have every slot wait until the whole backlog is planned.
 */
export function createPlanner(options: PlannerOptions): Loop {
  const { pool, clock, longestRestMs, slotPrefetch, burst, newId, resumePaused, onPlanned, onError } =
    options;
  const { monotonicMs = () => performance.now() } = options;
  const quarantine = createQuarantine(monotonicMs);
  /** What comes next apart from foreseen slots, as it was when last looked at: what has come about since only adds to it. */
  let next: NextPlanning = { runAt: null, pauseEndsAt: null };
  /** How often something may have come about, and how many of these times `next` covers. */
  let told = 0;
  let covered = 0;

  async function step(): Promise<number> {
    const now = clock.now();
    const heldUntil = slotPrefetch.preparedFor();
    if (heldUntil !== null && heldUntil > now) {
      const restMs = heldUntil.getTime() - now.getTime();
      // Jobs are held until then, and nothing else may come between.
      if (restMs <= FORESIGHT_MS) return restMs;
      // The clock was set back.
      await slotPrefetch.abandon();
    }
    if (!isPast(slotPrefetch.nextAt(), now) && isPast(prepareAt(), now)) {
      await slotPrefetch.prepare();
      return untilEarliest(earliest(prepareAt(), slotPrefetch.nextAt()), null);
    }
    if (isPast(slotPrefetch.nextAt(), now)) await startPrefetched();
    else if (!isPast(next.runAt, now) && !isTimeToPrefetch(now)) await look();
    if (isPast(burst.heldUntil(), now)) await commitBurst(now);
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

  /** Null, too, where something else comes before the slots: it would wait for what is prepared. */
  function prepareAt(): Date | null {
    const slotAt = slotPrefetch.nextAt();
    if (slotAt === null) return null;
    const otherAt = notPrefetchedAt();
    return otherAt === null || otherAt >= slotAt ? slotPrefetch.prepareAt() : null;
  }

  /** When a job is due that is not foreseen. */
  const notPrefetchedAt = () => earliest(next.runAt, slotPrefetch.rememberedAt());

  /** Nobody has told of anything, and what comes next is near: that is read now, or known. */
  function isTimeToPrefetch(now: Date): boolean {
    return covered === told && slotPrefetch.nextAt() === null && isPast(notPrefetchedAt(), soonAfter(now));
  }

  async function look(): Promise<void> {
    const covers = told;
    const prefetched = { jobIds: slotPrefetch.jobIds(), from: slotPrefetch.nextAt() };
    next = await nextPlanning(pool, { except: quarantine.ids(), prefetched });
    covered = covers;
  }

  async function startPrefetched(): Promise<void> {
    try {
      const { isAnyLeft, nextRunAt } = await slotPrefetch.start();
      next = { ...next, runAt: earliest(next.runAt, nextRunAt) };
      // What was told of just as these slots came has not been looked for yet.
      if (isAnyLeft || covered < told) await look();
    } catch (error) {
      told += 1;
      if (isAway(error)) throw error;
      logger.warn('Foreseen slots could not be started; their jobs are planned as any other', { error });
      await look();
    }
  }

  /**
   * Behind the first ones of it, whose calls are to begin before the log is told of thousands, and behind those of which it was
   * not known what they become: none of lower priority may pass them.
   */
  async function commitBurst(now: Date): Promise<void> {
    let isMoreDue = isPast(slotPrefetch.undecidedAt(), now);
    // It commits itself where that takes long.
    while (isMoreDue && burst.heldUntil() !== null) ({ isMoreDue } = await planFresh(now));
    await burst.commit();
    await look();
  }

  /** Prefetches what is due next as soon as that is near; answers how long to rest. */
  async function prefetchNext(): Promise<number> {
    const soon = soonAfter(clock.now());
    if (slotPrefetch.nextAt() === null && isPast(notPrefetchedAt(), soon)) await prefetch(soon);
    const runAt = notPrefetchedAt();
    const lookAt = runAt !== null && runAt > soon ? new Date(runAt.getTime() - FORESIGHT_MS) : runAt;
    const prefetchedAt = earliest(prepareAt(), slotPrefetch.nextAt());
    return untilEarliest(earliest(prefetchedAt, lookAt), next.pauseEndsAt);
  }

  async function prefetch(until: Date): Promise<void> {
    if (covered === told && !isPast(next.runAt, until)) {
      next = { ...next, runAt: earliest(next.runAt, slotPrefetch.recall(until)) };
      return;
    }
    const covers = told;
    const apart = await slotPrefetch.look(until, quarantine.ids());
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
      told += 1;
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
  return new Date(now.getTime() + FORESIGHT_MS + EARLY_MS);
}

function isPast(at: Date | null, moment: Date): at is Date {
  return at !== null && at <= moment;
}
