import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import { createLogger } from '../../logging/logger.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import { prepareSlots, tellPreparedSql, type PrefetchedSlot } from '../../store/executions/slot-starting.ts';
import { openTransaction, type OpenTransaction, type Queryable } from '../../store/statements/sql.ts';
import type { LostClaims } from '../running/lost-claims.ts';

const logger = createLogger('Planner');

export interface PreparationOptions {
  pool: Queryable & Pick<Pool, 'connect'>;
  clock: Clock;
  instanceId: string;
  leaseMs: number;
  lostClaims: Pick<LostClaims, 'watch'>;
  /** As many slots cost hardly more at their time than the commit of what was prepared would. */
  few: number;
  /** Slots in one statement. */
  batchSize: number;
  /** Which of slots of one instant have a place for their calls. */
  placesFor: (slots: readonly PrefetchedSlot[], now: Date) => boolean[];
  /** Keeps places at hosts, in place of those that were kept before. */
  keepPlaces: (hosts: readonly string[]) => void;
}

/**
 * Where many slots come at one instant, the database would be busy with them while their calls are made. So their executions
 * are made, and claimed, just before, in a transaction that is committed at the instant: until then nobody sees anything, and
 * with this process it would end as if it had never been.
 *
 * Who wants to change one of the jobs meanwhile waits until then, and so comes after the slot. Nobody else waits: other
 * instances pass over jobs that are held, and what has no place here is left to them. The planner does nothing else while it
 * holds jobs.
 */
export interface Preparation {
  /** When to prepare; null where there is nothing to be prepared, or it is done. */
  dueAt: () => Date | null;
  /** The instant for which something is prepared; null where nothing is. */
  preparedFor: () => Date | null;
  /** Says what is foreseen, in the order of instants and priorities, in place of what was said before. */
  plan: (prefetched: readonly PrefetchedSlot[]) => void;
  /** Prepares what there is a place for, as far as the time is enough. Never throws: what is not prepared is started at its time. */
  prepare: () => Promise<void>;
  /**
   * Makes true what is prepared, now that its instant has come, in two parts; nothing where that cannot be. A part of which the
   * answer is lost has come to nothing, or is found by whoever looks for lost claims. Never throws.
   *
   * @param onBegun is given what each of them has claimed, at once
   */
  commit: (now: Date, onBegun: (claimed: readonly ClaimedExecution[]) => void) => Promise<BegunSlots>;
  /** Leaves everything as it was before. */
  abandon: () => Promise<void>;
}

export interface BegunSlots {
  /** The jobs of all slots that were to be prepared, of parts that have become true. */
  jobIds: ReadonlySet<string>;
  /** Those that were as foreseen, and have moved on. The others were held by somebody, or had changed. */
  movedJobIds: ReadonlySet<string>;
}

/** Slots that are committed together. */
interface Part {
  jobIds: string[];
  movedJobIds: string[];
  claimed: ClaimedExecution[];
  transaction: OpenTransaction;
}

/** How long before their instant slots are prepared, and with that their jobs held: beside what the slots themselves take. */
const AHEAD_MS = 20;
/**
 * What a slot takes at least; the last preparation of so many parts says whether it is more. Of a few slots each has a good share
 * of what any preparation takes.
 */
const LEAST_MS_PER_SLOT = 0.2;
/** So many slots are committed by themselves: their calls begin while the log is told of the others. */
const FIRST_PART = 50;
/** Between two looks for places. */
const NO_PLACE_RETRY_MS = 10;
/** A process that is frozen meanwhile holds the jobs no longer. */
const MAX_STANDSTILL_MS = 1_000;
/**
 * Executions have started at their instant, their rows say: where it has passed for longer, or where the log's lock takes
 * longer to get, they are made anew.
 */
const MAX_LATE_MS = 50;
const MAX_LOCK_WAIT_MS = 250;
/** For the answer to a commit, for which the part behind it waits: it takes some milliseconds, and what it may wait for a lock. */
const MAX_COMMIT_MS = 2_000;
/** From their instant on: so late it may turn out that nothing has become of them, as what holds them is gone, or silent. */
const MAX_HELD_MS = MAX_COMMIT_MS + 500;

export function createPreparation(options: PreparationOptions): Preparation {
  const { pool, clock, instanceId, leaseMs, lostClaims, few, batchSize, placesFor, keepPlaces } = options;
  /** To be prepared, once their time has come. */
  let planned: { slots: readonly PrefetchedSlot[]; scheduledAt: Date; dueAt: Date } | null = null;
  let prepared: { parts: readonly Part[]; scheduledAt: Date } | null = null;
  /** By the number of parts. */
  const msPerSlot = { 1: LEAST_MS_PER_SLOT, 2: LEAST_MS_PER_SLOT };

  function plan(prefetched: readonly PrefetchedSlot[]): void {
    planned = null;
    const [first] = prefetched;
    if (!first) return;
    const { scheduledAt } = first;
    const isThen = (at: Date) => at.getTime() === scheduledAt.getTime();
    // Without what starts later, by its jitter.
    const slots = prefetched.filter((slot) => isThen(slot.scheduledAt) && isThen(slot.availableAt));
    if (slots.filter(mayBeHeld).length <= few) return;
    const aheadMs = AHEAD_MS + msPerSlot[partsOf(slots)] * slots.length;
    planned = { slots, scheduledAt, dueAt: new Date(scheduledAt.getTime() - aheadMs) };
  }

  async function prepare(): Promise<void> {
    if (!planned) return;
    const { slots, scheduledAt } = planned;
    const now = clock.now();
    const kind = partsOf(slots);
    const inTime = Math.floor((scheduledAt.getTime() - now.getTime()) / msPerSlot[kind]);
    const places = placesFor(slots, scheduledAt);
    const chosen = slots
      .filter((slot, index) => places[index] && mayBeHeld(slot))
      .slice(0, Math.max(inTime, 0));
    if (inTime > few && chosen.length === 0) {
      // A claim is under way, perhaps: what it leaves is not known yet.
      planned = { ...planned, dueAt: new Date(now.getTime() + NO_PLACE_RETRY_MS) };
      return;
    }
    planned = null;
    if (chosen.length <= few) {
      // Found too slow once, slots would never be timed again.
      if (inTime <= few) msPerSlot[kind] = Math.max(msPerSlot[kind] / 2, LEAST_MS_PER_SLOT);
      return;
    }
    keepPlaces(chosen.map(({ host }) => host));
    const parts = await makeParts([chosen.slice(0, FIRST_PART), chosen.slice(FIRST_PART)], scheduledAt);
    if (parts.length > 0) prepared = { parts, scheduledAt };
    keepPlacesFor(parts);
    const tried = parts.reduce((sum, { jobIds }) => sum + jobIds.length, 0);
    if (tried > 0)
      msPerSlot[kind] = Math.max((clock.now().getTime() - now.getTime()) / tried, LEAST_MS_PER_SLOT);
  }

  async function makeParts(slots: readonly PrefetchedSlot[][], scheduledAt: Date): Promise<Part[]> {
    const parts: Part[] = [];
    try {
      // All connections before any job is held: those who have the others may wait for just these jobs.
      const transactions = await openTransactions(slots.filter(({ length }) => length > 0).length);
      for (const [index, transaction] of transactions.entries()) {
        const part = await make(slots[index] ?? [], scheduledAt, transaction);
        if (part) parts.push(part);
      }
    } catch (error) {
      logger.warn('Slots could not be prepared; they are started at their time', { error });
    }
    return parts;
  }

  async function openTransactions(count: number): Promise<OpenTransaction[]> {
    const opened = await Promise.allSettled(Array.from({ length: count }, () => openTransaction(pool, null)));
    const transactions = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failed = opened.find((one) => one.status === 'rejected');
    if (!failed) return transactions;
    await Promise.all(transactions.map(({ rollback }) => rollback()));
    throw failed.reason;
  }

  function keepPlacesFor(parts: readonly Part[]): void {
    keepPlaces(parts.flatMap(({ claimed }) => claimed.map(({ host }) => host)));
  }

  /** Null where all jobs are held by somebody else, or have changed, where there is no time left, and where it fails. */
  async function make(
    slots: readonly PrefetchedSlot[],
    scheduledAt: Date,
    transaction: OpenTransaction,
  ): Promise<Part | null> {
    const part: Part = { jobIds: [], movedJobIds: [], claimed: [], transaction };
    try {
      for (let from = 0; from < slots.length && clock.now() < scheduledAt; from += batchSize) {
        const batch = slots.slice(from, from + batchSize);
        const made = await prepareSlots(transaction.tx, {
          slots: batch.map(({ row }) => ({ row, starts: true })),
          instanceId,
          now: scheduledAt,
          leaseExpiresAt: leaseEnd(scheduledAt),
          maxStandstillMs: MAX_STANDSTILL_MS,
          maxLockWaitMs: MAX_LOCK_WAIT_MS,
        });
        part.jobIds.push(...batch.map(({ jobId }) => jobId));
        part.movedJobIds.push(...made.jobIds);
        part.claimed.push(...made.claimed);
      }
    } catch (error) {
      logger.warn('Slots could not be prepared; they are started at their time', { error });
      await transaction.rollback(error);
      return null;
    }
    if (part.movedJobIds.length === 0) {
      await transaction.rollback();
      return null;
    }
    logger.debug('Prepared', { jobs: part.movedJobIds.length, executions: part.claimed.length });
    return part;
  }

  async function commit(
    now: Date,
    onBegun: (claimed: readonly ClaimedExecution[]) => void,
  ): Promise<BegunSlots> {
    planned = null;
    if (prepared && now.getTime() - prepared.scheduledAt.getTime() > MAX_LATE_MS) await abandon();
    const { parts, scheduledAt } = prepared ?? { parts: [], scheduledAt: now };
    prepared = null;
    const jobIds = new Set<string>();
    const movedJobIds = new Set<string>();
    // All at once, but begun in their order: those of higher priority first.
    const commits = parts.map((part) => ({ part, committing: commitPart(part, scheduledAt) }));
    for (const [index, { part, committing }] of commits.entries()) {
      const isCommitted = await committing;
      keepPlacesFor(parts.slice(index + 1));
      if (!isCommitted) continue;
      for (const jobId of part.jobIds) jobIds.add(jobId);
      for (const jobId of part.movedJobIds) movedJobIds.add(jobId);
      onBegun(part.claimed);
    }
    return { jobIds, movedJobIds };
  }

  /** Answers whether it has surely become true. */
  async function commitPart({ claimed, transaction }: Part, scheduledAt: Date): Promise<boolean> {
    const executionIds = claimed.map(({ id }) => id);
    const last = executionIds.length > 0 ? tellPreparedSql(executionIds) : undefined;
    try {
      await lostClaims.watch(leaseEnd(scheduledAt), () => transaction.commit(last, MAX_COMMIT_MS));
      return true;
    } catch (error) {
      logger.warn('Prepared slots could not be committed', { error });
      return false;
    }
  }

  function leaseEnd(scheduledAt: Date): Date {
    return new Date(scheduledAt.getTime() + leaseMs);
  }

  async function abandon(): Promise<void> {
    planned = null;
    const parts = prepared?.parts ?? [];
    prepared = null;
    if (parts.length === 0) return;
    await Promise.all(parts.map(({ transaction }) => transaction.rollback()));
    keepPlaces([]);
  }

  return {
    dueAt: () => planned?.dueAt ?? null,
    preparedFor: () => prepared?.scheduledAt ?? null,
    plan,
    prepare,
    commit,
    abandon,
  };
}

function partsOf({ length }: readonly PrefetchedSlot[]): 1 | 2 {
  return length > FIRST_PART ? 2 : 1;
}

/** What would be missed with a holder that is frozen is left to whoever is not. */
function mayBeHeld({ scheduledAt, onTimeUntil }: PrefetchedSlot): boolean {
  return onTimeUntil.getTime() >= scheduledAt.getTime() + MAX_HELD_MS;
}
