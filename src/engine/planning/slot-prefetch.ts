import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import { earliest } from '../../domain/schedule/earliest.ts';
import { plainSlotOf, type PlainSlot } from '../../domain/schedule/plain-slot.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { createLogger } from '../../logging/logger.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import { readUpcoming, type NextPlanning, type UpcomingJob } from '../../store/executions/planning.ts';
import { makeSlots, slotsStartedSql } from '../../store/executions/slot-starting.ts';
import { openTransaction, type OpenTransaction, type Queryable } from '../../store/statements/sql.ts';
import type { LostClaims } from '../running/lost-claims.ts';
import type { Worker } from '../running/worker.ts';

const logger = createLogger('Planner');

export interface SlotPrefetchOptions {
  pool: Queryable & Pick<Pool, 'connect'>;
  clock: Clock;
  instanceId: string;
  leaseMs: number;
  lostClaims: Pick<LostClaims, 'watch'>;
  worker: Pick<Worker, 'placesFor' | 'keepPlaces' | 'take'>;
  /** Called after each commit of executions that wait for a place. */
  onWaiting: () => void;
  monotonicMs?: () => number;
}

/** What became of the prefetched slots of an instant. */
export interface Started {
  /** The earliest next run of their jobs, apart from remembered jobs; null where there is none. */
  nextRunAt: Date | null;
  /** Whether the planner must look for jobs that are still due: they changed, are locked, or could not be made in time. */
  isAnyLeft: boolean;
}

/**
 * The slots of the next instant, made before it comes.
 *
 * The prefetch reads the jobs a moment before their slot, and computes what the slot becomes. Just before the instant it
 * opens a transaction, inserts the executions, claims those that have a place, and moves the jobs on. It commits at the
 * instant. Until then nobody sees anything, and a process that dies leaves nothing behind.
 *
 * The statement takes a job only while its version and next run are those that were read: a change in between leaves the
 * slot to the planner. A command that changes a job while the transaction is open waits for the commit. Other instances
 * pass over the locked jobs.
 */
export interface SlotPrefetch {
  /** The instant of the prefetched slots; null where there are none. */
  nextAt: () => Date | null;
  /** When to call `prepare`; null where that is done, or not needed. */
  prepareAt: () => Date | null;
  /** The instant for which the transaction is open; null where none is. */
  preparedFor: () => Date | null;
  jobIds: () => string[];
  /** The earliest next run of the remembered jobs: their slots were just started, and the next ones come soon. */
  rememberedAt: () => Date | null;
  /**
   * Reads the jobs that are due up to an instant, and prefetches the slots of the earliest one. Replaces what was
   * prefetched or remembered before.
   *
   * @returns what comes next apart from these slots; null where nothing is due so soon
   */
  read: (until: Date, except: readonly string[]) => Promise<NextPlanning | null>;
  /**
   * Prefetches from the remembered jobs instead of reading them again.
   *
   * @returns the earliest next run of a job that is due by then and whose slot is not prefetched
   */
  recall: (until: Date) => Date | null;
  /** Makes the executions in a transaction that stays open. Never throws: what it cannot make is left to the planner. */
  prepare: () => Promise<void>;
  /** Whether slots are being started: their calls are about to begin. */
  isStarting: () => boolean;
  /** Commits at the instant, and hands the claimed executions to the worker. */
  start: () => Promise<Started>;
  /** Rolls back what is prepared. */
  abandon: () => Promise<void>;
}

/** An open transaction that holds the executions of an instant. */
interface Prepared {
  scheduledAt: Date;
  movedJobIds: Set<string>;
  claimed: ClaimedExecution[];
  executionIds: string[];
  transaction: OpenTransaction;
}

/** A slot, and the version of its job that it was computed from. */
interface PrefetchedSlot extends PlainSlot {
  version: number;
  host: string;
}

/** More jobs than this at one instant are left to the planner. */
const MAX_PREFETCHED = 1_000;
/** No further slot is computed after this time, as computing stops everything else. */
const COMPUTING_MS = 100;
/** A job is not read again when its next slot comes this soon after the last. The older a read is, the likelier a change. */
const REMEMBERED_MS = 2_000;
/** The transaction opens so long before the instant: this, and as much for each slot. */
const AHEAD_MS = 20;
const AHEAD_MS_PER_SLOT = 0.25;
const BATCH_SLOTS = 200;
/** PostgreSQL ends the transaction of a process that stands still for longer. */
const MAX_STANDSTILL_MS = 1_000;
/** The rows say that the executions started at the instant: after a longer delay they are made anew. */
const MAX_LATE_MS = 50;
/** How long the commit may wait for the lock of the event log, and for its answer. */
const MAX_LOCK_WAIT_MS = 250;
const MAX_COMMIT_MS = 2_000;
/** A slot that would be missed by then is not held: its holder may freeze, and another instance must come in time. */
const MAX_HELD_MS = MAX_COMMIT_MS + 500;

export function createSlotPrefetch(options: SlotPrefetchOptions): SlotPrefetch {
  const { pool, clock, instanceId, leaseMs, lostClaims, worker, onWaiting } = options;
  const { monotonicMs = () => performance.now() } = options;
  let prefetched: PrefetchedSlot[] = [];
  let prefetchedJobs = new Map<string, UpcomingJob>();
  /** Jobs of the same read whose slots are left to the planner. */
  let leftJobs: UpcomingJob[] = [];
  let remembered: UpcomingJob[] = [];
  let prepared: Prepared | null = null;
  let isPrepareTried = false;
  let isStarting = false;

  async function read(until: Date, except: readonly string[]): Promise<NextPlanning | null> {
    await abandon();
    remembered = [];
    prefetch([]);
    const { jobs, apart } = await readUpcoming(pool, until, { except, limit: MAX_PREFETCHED });
    return apart && { ...apart, runAt: earliest(apart.runAt, prefetch(jobs)) };
  }

  function recall(until: Date): Date | null {
    const jobs = remembered.filter(({ nextRunAt }) => nextRunAt <= until);
    remembered = remembered.filter(({ nextRunAt }) => nextRunAt > until);
    return prefetch(jobs.sort(bySlot));
  }

  /** Answers the earliest next run of those that it leaves to the planner. */
  function prefetch(jobs: readonly UpcomingJob[]): Date | null {
    const enoughAtMs = monotonicMs() + COMPUTING_MS;
    const instantMs = jobs[0]?.nextRunAt.getTime();
    prefetched = [];
    prefetchedJobs = new Map();
    leftJobs = [];
    isPrepareTried = false;
    for (const job of jobs) {
      const isNow = job.nextRunAt.getTime() === instantMs && monotonicMs() < enoughAtMs;
      const slot = isNow ? prefetchedSlotOf(job) : null;
      if (slot) {
        prefetched.push(slot);
        prefetchedJobs.set(job.id, job);
      } else leftJobs.push(job);
    }
    return leftJobs.reduce<Date | null>((at, { nextRunAt }) => earliest(at, nextRunAt), null);
  }

  function prepareAt(): Date | null {
    const [first] = prefetched;
    if (!first || isPrepareTried) return null;
    const aheadMs = AHEAD_MS + AHEAD_MS_PER_SLOT * prefetched.length;
    return new Date(first.scheduledAt.getTime() - aheadMs);
  }

  async function prepare(): Promise<void> {
    const [first] = prefetched;
    isPrepareTried = true;
    if (!first) return;
    const { scheduledAt } = first;
    const starts = startsOf(prefetched, scheduledAt);
    worker.keepPlaces(prefetched.filter((_, index) => starts[index]).map(({ host }) => host));
    try {
      prepared = await makeAll(scheduledAt, starts);
    } catch (error) {
      logger.warn('Slots could not be prepared; they are planned at their time', { error });
    }
    worker.keepPlaces(prepared?.claimed.map(({ host }) => host) ?? []);
  }

  /** Null where none of the jobs could be taken. */
  async function makeAll(scheduledAt: Date, starts: readonly boolean[]): Promise<Prepared | null> {
    const transaction = await openTransaction(pool, null);
    const all: Prepared = {
      scheduledAt,
      movedJobIds: new Set(),
      claimed: [],
      executionIds: [],
      transaction,
    };
    try {
      for (let from = 0; from < prefetched.length && clock.now() < scheduledAt; from += BATCH_SLOTS) {
        const made = await makeSlots(transaction.tx, {
          slots: prefetched.slice(from, from + BATCH_SLOTS),
          starts: starts.slice(from, from + BATCH_SLOTS),
          instanceId,
          now: scheduledAt,
          leaseExpiresAt: leaseEnd(scheduledAt),
          maxStandstillMs: MAX_STANDSTILL_MS,
          maxLockWaitMs: MAX_LOCK_WAIT_MS,
        });
        for (const jobId of made.jobIds) all.movedJobIds.add(jobId);
        all.claimed.push(...made.claimed);
        all.executionIds.push(...made.executionIds);
      }
    } catch (error) {
      await transaction.rollback(error);
      throw error;
    }
    if (all.movedJobIds.size > 0) return all;
    await transaction.rollback();
    return null;
  }

  /** Which slots start at once. Jobs of a higher priority that are left to the planner keep their places. */
  function startsOf(slots: readonly PrefetchedSlot[], at: Date): boolean[] {
    const lowest = Math.min(...slots.map(({ priority }) => priority));
    const first = leftJobs.filter(({ priority, nextRunAt }) => priority > lowest && nextRunAt <= at);
    const places = worker.placesFor([...first, ...slots].map(({ host }) => host)).slice(first.length);
    return slots.map(({ availableAt }, index) => availableAt <= at && (places[index] ?? false));
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
    const slots = prefetched;
    const jobs = prefetchedJobs;
    prefetch([]);
    const moved = await commit();
    const now = clock.now();
    let nextRunAt: Date | null = null;
    for (const slot of slots) {
      if (moved.has(slot.jobId) && !remember(jobs.get(slot.jobId), slot.nextRunAt, now))
        nextRunAt = earliest(nextRunAt, slot.nextRunAt);
    }
    return { nextRunAt, isAnyLeft: moved.size < slots.length };
  }

  /** Answers the jobs that have moved on for certain. A lost answer is left to whoever looks for lost claims. */
  async function commit(): Promise<ReadonlySet<string>> {
    if (prepared && clock.now().getTime() - prepared.scheduledAt.getTime() > MAX_LATE_MS) await abandon();
    if (!prepared) return new Set();
    const { scheduledAt, movedJobIds, claimed, executionIds, transaction } = prepared;
    prepared = null;
    const last = executionIds.length > 0 ? slotsStartedSql(executionIds) : undefined;
    try {
      await lostClaims.watch(leaseEnd(scheduledAt), () => transaction.commit(last, MAX_COMMIT_MS));
    } catch (error) {
      logger.warn('Prepared slots could not be committed', { error });
      return new Set();
    } finally {
      worker.keepPlaces([]);
    }
    worker.take(claimed);
    if (claimed.length < executionIds.length) onWaiting();
    logger.debug('Started', { executions: executionIds.length, claimed: claimed.length });
    return movedJobIds;
  }

  /** Answers whether the job is remembered. Slots in the past are not: the planner decides what a missed slot becomes. */
  function remember(job: UpcomingJob | undefined, nextRunAt: Date, now: Date): boolean {
    const restMs = nextRunAt.getTime() - now.getTime();
    if (!job || restMs <= 0 || restMs > REMEMBERED_MS) return false;
    job.nextRunAt = nextRunAt;
    remembered.push(job);
    return true;
  }

  async function abandon(): Promise<void> {
    const abandoned = prepared;
    prepared = null;
    if (!abandoned) return;
    await abandoned.transaction.rollback();
    worker.keepPlaces([]);
  }

  function leaseEnd(scheduledAt: Date): Date {
    return new Date(scheduledAt.getTime() + leaseMs);
  }

  return {
    nextAt: () => prefetched[0]?.scheduledAt ?? null,
    prepareAt,
    preparedFor: () => prepared?.scheduledAt ?? null,
    jobIds: () => prefetched.map(({ jobId }) => jobId),
    rememberedAt: () => remembered.reduce<Date | null>((at, { nextRunAt }) => earliest(at, nextRunAt), null),
    read,
    recall,
    prepare,
    isStarting: () => isStarting,
    start,
    abandon,
  };
}

/** Null where other facts than the job's own decide about its slot, where it must not be held, and where planning fails. */
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

/** Earlier slots first; at one instant, higher priorities first. */
function bySlot(one: UpcomingJob, other: UpcomingJob): number {
  return one.nextRunAt.getTime() - other.nextRunAt.getTime() || other.priority - one.priority;
}
