import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { createLogger } from '../logging/logger.ts';
import type { ClaimedExecution } from '../store/claimed-rows.ts';
import { prepareSlots, tellPrepared, type ForeseenSlot } from '../store/slot-starting.ts';
import { openTransaction, type OpenTransaction } from '../store/sql.ts';

const logger = createLogger('Planner');

export interface PreparationOptions {
  pool: Pick<Pool, 'connect'>;
  clock: Clock;
  instanceId: string;
  leaseMs: number;
  /** Which of slots of one instant have a place for their calls. */
  placesFor: (slots: readonly ForeseenSlot[], now: Date) => boolean[];
}

/**
 * Where many slots come at one instant, the database would be busy with them while their calls are made. So their executions
 * are made, and claimed, just before, in a transaction that is committed at the instant: until then nobody sees anything, and
 * with this process it would end as if it had never been.
 *
 * Who wants to change one of the jobs meanwhile waits until then, and so comes after the slot. Nobody else waits: other
 * instances pass over jobs that are held, and what has no place here is left to them.
 */
export interface Preparation {
  /** When to prepare; null where there is nothing to be prepared, or it is done. */
  dueAt: () => Date | null;
  /** Says what is foreseen, in the order of instants and priorities; of what was said before, nothing may be prepared. */
  plan: (foreseen: readonly ForeseenSlot[]) => void;
  /** Prepares what there is a place for, as far as the time is enough. Never throws: what is not prepared is started at its time. */
  prepare: () => Promise<void>;
  /**
   * Makes true what is prepared, now that its instant has come; nothing where that cannot be.
   *
   * @throws where it is not known whether it has become true
   */
  commit: (now: Date) => Promise<BegunSlots>;
  /** Leaves everything as it was before. */
  abandon: () => Promise<void>;
}

export interface BegunSlots {
  /** The jobs of all slots that were to be prepared. */
  jobIds: ReadonlySet<string>;
  /** Those that were as foreseen, and have moved on. The others were held by somebody, or had changed. */
  movedJobIds: ReadonlySet<string>;
  claimed: readonly ClaimedExecution[];
}

interface PreparedSlots extends BegunSlots {
  scheduledAt: Date;
  transaction: OpenTransaction;
}

const NOTHING: BegunSlots = { jobIds: new Set(), movedJobIds: new Set(), claimed: [] };

/** So few are made and claimed by one statement in hardly more time than it takes to commit. */
const MIN_SLOTS = 26;
/** How long before their instant slots are prepared, and with that their jobs held. On a slow machine one takes 0.15 ms. */
const AHEAD_MS = 20;
const AHEAD_MS_PER_SLOT = 0.2;
/** Slots in one statement. */
const BATCH = 200;
/** A process that is frozen meanwhile holds the jobs no longer. */
const MAX_STANDSTILL_MS = 1_000;
/** Executions have started at their instant, their rows say: where it has passed for longer, they are made anew. */
const MAX_LATE_MS = 50;

export function createPreparation(options: PreparationOptions): Preparation {
  const { pool, clock, instanceId, leaseMs, placesFor } = options;
  /** To be prepared, once their time has come. */
  let planned: { slots: readonly ForeseenSlot[]; scheduledAt: Date; dueAt: Date } | null = null;
  let prepared: PreparedSlots | null = null;

  function plan(foreseen: readonly ForeseenSlot[]): void {
    planned = null;
    const [first] = foreseen;
    if (!first) return;
    const { scheduledAt } = first;
    const isThen = (at: Date) => at.getTime() === scheduledAt.getTime();
    // Without what starts later, by its jitter.
    const slots = foreseen.filter((slot) => isThen(slot.scheduledAt) && isThen(slot.availableAt));
    if (slots.length < MIN_SLOTS) return;
    const aheadMs = AHEAD_MS + AHEAD_MS_PER_SLOT * slots.length;
    planned = { slots, scheduledAt, dueAt: new Date(scheduledAt.getTime() - aheadMs) };
  }

  async function prepare(): Promise<void> {
    if (!planned) return;
    const { slots, scheduledAt } = planned;
    planned = null;
    const places = placesFor(slots, scheduledAt);
    const withPlace = slots.filter((_slot, index) => places[index]);
    if (withPlace.length < MIN_SLOTS) return;
    try {
      prepared = await make(withPlace, scheduledAt);
    } catch (error) {
      logger.warn('Slots could not be prepared; they are started at their time', { error });
    }
  }

  /** Null where all jobs are held by somebody else, or have changed. */
  async function make(slots: readonly ForeseenSlot[], scheduledAt: Date): Promise<PreparedSlots | null> {
    const jobIds = new Set<string>();
    const movedJobIds = new Set<string>();
    const claimed: ClaimedExecution[] = [];
    const transaction = await openTransaction(pool, { maxStandstillMs: MAX_STANDSTILL_MS });
    try {
      for (let from = 0; from < slots.length && clock.now() < scheduledAt; from += BATCH) {
        const batch = slots.slice(from, from + BATCH);
        const made = await prepareSlots(transaction.tx, {
          slots: batch.map(({ row }) => ({ row, starts: true })),
          instanceId,
          now: scheduledAt,
          leaseExpiresAt: new Date(scheduledAt.getTime() + leaseMs),
        });
        for (const { jobId } of batch) jobIds.add(jobId);
        for (const jobId of made.jobIds) movedJobIds.add(jobId);
        claimed.push(...made.claimed);
      }
    } catch (error) {
      await transaction.rollback(error);
      throw error;
    }
    if (movedJobIds.size === 0) {
      await transaction.rollback();
      return null;
    }
    logger.debug('Prepared', { jobs: movedJobIds.size, executions: claimed.length });
    return { jobIds, movedJobIds, claimed, scheduledAt, transaction };
  }

  async function commit(now: Date): Promise<BegunSlots> {
    planned = null;
    if (prepared && now.getTime() - prepared.scheduledAt.getTime() > MAX_LATE_MS) await abandon();
    if (!prepared) return NOTHING;
    const { transaction, ...begun } = prepared;
    prepared = null;
    try {
      const executionIds = begun.claimed.map(({ id }) => id);
      if (executionIds.length > 0) await tellPrepared(transaction.tx, executionIds);
    } catch (error) {
      await transaction.rollback(error);
      logger.warn('Prepared slots came to nothing; they are started as they would be without', { error });
      return NOTHING;
    }
    try {
      await transaction.commit();
      return begun;
    } catch (error) {
      await transaction.rollback(error);
      throw error;
    }
  }

  async function abandon(): Promise<void> {
    planned = null;
    const given = prepared;
    prepared = null;
    await given?.transaction.rollback();
  }

  return { dueAt: () => planned?.dueAt ?? null, plan, prepare, commit, abandon };
}
