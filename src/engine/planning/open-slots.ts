import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import type { PlainSlot } from '../../domain/schedule/plain-slot.ts';
import { createLogger } from '../../logging/logger.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import { makeSlots, slotsStartedSql } from '../../store/executions/slot-starting.ts';
import { openTransaction, type OpenTransaction } from '../../store/statements/sql.ts';
import type { LostClaims } from '../running/lost-claims.ts';

const logger = createLogger('Planner');

/** A slot, and the version of its job at the time of the computation. */
export interface PrefetchedSlot extends PlainSlot {
  version: number;
  host: string;
}

export interface OpenSlotsOptions {
  pool: Pick<Pool, 'connect'>;
  clock: Clock;
  instanceId: string;
  leaseMs: number;
  lostClaims: Pick<LostClaims, 'watch'>;
}

/** The result of a commit. */
export interface CommittedSlots {
  /** The jobs that have a new next run. */
  movedJobIds: ReadonlySet<string>;
  executionIds: readonly string[];
  /** The executions that this instance has claimed. */
  claimed: readonly ClaimedExecution[];
}

/** The executions of a future instant, in a transaction that stays open until then. */
export interface OpenSlots {
  scheduledAt: Date;
  claimed: readonly ClaimedExecution[];
  /** Null when the success is not certain. After a lost answer, the search for lost claims finds the executions. */
  commit: () => Promise<CommittedSlots | null>;
  rollback: () => Promise<void>;
}

const BATCH_SLOTS = 200;
/** PostgreSQL ends the transaction of a process that is idle for longer. */
const MAX_STANDSTILL_MS = 1_000;
/** How long the commit may wait for the lock of the event log. The next limit is for its answer. */
const MAX_LOCK_WAIT_MS = 250;
export const MAX_COMMIT_MS = 2_000;

/**
 * Inserts the executions of slots.
 *
 * @param starts which slots this instance claims at once
 * @returns null when it could take none of the jobs
 */
export async function openSlots(
  options: OpenSlotsOptions,
  slots: readonly PrefetchedSlot[],
  starts: readonly boolean[],
  scheduledAt: Date,
): Promise<OpenSlots | null> {
  const transaction = await openTransaction(options.pool, null);
  let made: CommittedSlots;
  try {
    made = await makeAll(options, transaction, slots, starts, scheduledAt);
  } catch (error) {
    await transaction.rollback(error);
    throw error;
  }
  if (made.movedJobIds.size === 0) {
    await transaction.rollback();
    return null;
  }
  return {
    scheduledAt,
    claimed: made.claimed,
    async commit() {
      const last = made.executionIds.length > 0 ? slotsStartedSql(made.executionIds) : undefined;
      try {
        await options.lostClaims.watch(leaseEnd(options, scheduledAt), () =>
          transaction.commit(last, MAX_COMMIT_MS),
        );
        return made;
      } catch (error) {
        logger.warn('Prepared slots could not be committed', { error });
        return null;
      }
    },
    rollback: () => transaction.rollback(),
  };
}

async function makeAll(
  options: OpenSlotsOptions,
  { tx }: OpenTransaction,
  slots: readonly PrefetchedSlot[],
  starts: readonly boolean[],
  scheduledAt: Date,
): Promise<CommittedSlots> {
  const movedJobIds = new Set<string>();
  const executionIds: string[] = [];
  const claimed: ClaimedExecution[] = [];
  for (let from = 0; from < slots.length && options.clock.now() < scheduledAt; from += BATCH_SLOTS) {
    const made = await makeSlots(tx, {
      slots: slots.slice(from, from + BATCH_SLOTS),
      starts: starts.slice(from, from + BATCH_SLOTS),
      instanceId: options.instanceId,
      now: scheduledAt,
      leaseExpiresAt: leaseEnd(options, scheduledAt),
      maxStandstillMs: MAX_STANDSTILL_MS,
      maxLockWaitMs: MAX_LOCK_WAIT_MS,
    });
    for (const jobId of made.jobIds) movedJobIds.add(jobId);
    executionIds.push(...made.executionIds);
    claimed.push(...made.claimed);
  }
  return { movedJobIds, executionIds, claimed };
}

function leaseEnd({ leaseMs }: OpenSlotsOptions, scheduledAt: Date): Date {
  return new Date(scheduledAt.getTime() + leaseMs);
}
