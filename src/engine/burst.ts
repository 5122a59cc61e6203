import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { createLogger } from '../logging/logger.ts';
import { createLoop, type Loop } from '../loop.ts';
import { findBurst, readIdsOfBurst, readJobsOfBurst } from '../store/bursts.ts';
import { prepareWaitingSlots, tellPreparedSql } from '../store/slot-starting.ts';
import { openTransaction, type OpenTransaction, type Queryable } from '../store/sql.ts';
import { foresee } from './foresee.ts';
import { mayBeHeld } from './prepared-slots.ts';

const logger = createLogger('Planner');

export interface BurstOptions {
  pool: Queryable & Pick<Pool, 'connect'>;
  clock: Clock;
  /** Called when it is prepared: whoever commits it is to know of its instant, which may be past by now. */
  onHeld: () => void;
  /** Called when its executions are there, and wait to be claimed. */
  onWaiting: () => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/**
 * A burst: at one instant so many jobs are due that the database would be busy with planning them while their calls are to
 * be made. The first ones of it are foreseen and prepared as ever, and have calls under way at once; the executions of the others
 * are made in the second or two before, in a transaction that is committed behind those, and wait to be claimed.
 *
 * As with slots that are prepared, nobody sees anything of it before, who wants to change one of the jobs waits until then, and
 * with this process, its connection or a standstill it ends as if it had never been. The planner goes on meanwhile:
 * none of the jobs is due any sooner.
 */
export interface Burst extends Loop {
  /** Whether the job is held until its next slot. */
  holds: (jobId: string) => boolean;
  /** The instant for which jobs are held; null where none are. */
  heldUntil: () => Date | null;
  /** Makes true what is prepared, now that its instant has come. Never throws: what is not made is planned as any other slot. */
  commit: () => Promise<void>;
}

interface Held {
  scheduledAt: Date;
  jobIds: Set<string>;
  executionIds: string[];
  transaction: OpenTransaction;
}

/** Of the jobs of a burst so many are left to be foreseen: more than have a place for their calls as it begins. */
const FORESEEN = 500;
const MAX_PREPARED = 10_000;
/** Slots in one statement, and jobs that are computed with in one turn. */
const BATCH = 500;
/** It is to be done so long before the instant, when others have a lot to do. */
const SPARE_MS = 100;
/** What a slot takes until it was measured. */
const FIRST_MS_PER_SLOT = 0.2;
/** So long before the instant jobs are held at most. All may be made much sooner than thought, and is committed a while behind it. */
const MAX_HELD_BEFORE_MS = 2_000;
const MAX_STANDSTILL_MS = MAX_HELD_BEFORE_MS + 500;
/** For the lock of the log, and for the answer to the commit. */
const MAX_LOCK_WAIT_MS = 1_000;
const MAX_COMMIT_MS = 2_000;

export function createBurst(options: BurstOptions): Burst {
  const { pool, clock, onHeld, onWaiting, onError, monotonicMs = () => performance.now() } = options;
  let held: Held | null = null;
  let msPerSlot = FIRST_MS_PER_SLOT;
  let isStopped = false;

  async function step(): Promise<number> {
    // The end of it wakes the loop.
    if (held) return Infinity;
    const burst = await findBurst(pool, clock.now());
    if (!burst) return Infinity;
    const { at, jobs } = burst;
    const restMs = restUntil(at) - leadMs(jobs);
    if (restMs > 0) return restMs;
    held = await prepare(at);
    if (!held) return Math.max(restUntil(at), 0);
    onHeld();
    return Infinity;
  }

  const restUntil = (at: Date): number => at.getTime() - clock.now().getTime();

  function leadMs(jobs: number): number {
    const slots = Math.min(jobs - FORESEEN, MAX_PREPARED);
    return Math.min(SPARE_MS + msPerSlot * slots, MAX_HELD_BEFORE_MS);
  }

  /** Null where there is nothing that could be made true. */
  async function prepare(scheduledAt: Date): Promise<Held | null> {
    const ids = await readIdsOfBurst(pool, scheduledAt, { behind: FORESEEN, limit: MAX_PREPARED });
    if (ids.length === 0) return null;
    const transaction = await openTransaction(pool, null);
    const made: Held = { scheduledAt, jobIds: new Set(), executionIds: [], transaction };
    const startedMs = monotonicMs();
    try {
      for (let from = 0; from < ids.length && !isStopped && restUntil(scheduledAt) > 0; from += BATCH) {
        await prepareBatch(made, ids.slice(from, from + BATCH));
      }
    } catch (error) {
      await transaction.rollback(error);
      throw error;
    }
    if (isStopped || made.jobIds.size === 0) {
      await transaction.rollback();
      return null;
    }
    msPerSlot = (monotonicMs() - startedMs) / made.jobIds.size;
    logger.debug('Prepared a burst', { jobs: made.jobIds.size, executions: made.executionIds.length });
    return made;
  }

  /** What is no plain slot, has changed or is held by somebody is left to the planner. */
  async function prepareBatch({ scheduledAt, jobIds, executionIds, transaction }: Held, ids: string[]) {
    const jobs = await readJobsOfBurst(transaction.tx, scheduledAt, ids);
    const slots = jobs.flatMap((job) => foresee(job) ?? []).filter(mayBeHeld);
    if (slots.length === 0) return;
    const made = await prepareWaitingSlots(transaction.tx, {
      slots,
      scheduledAt,
      maxStandstillMs: MAX_STANDSTILL_MS,
      maxLockWaitMs: MAX_LOCK_WAIT_MS,
    });
    for (const jobId of made.jobIds) jobIds.add(jobId);
    executionIds.push(...made.executionIds);
  }

  async function commit(): Promise<void> {
    if (!held) return;
    const { transaction, jobIds, executionIds } = held;
    held = null;
    try {
      const last = executionIds.length > 0 ? tellPreparedSql(executionIds) : undefined;
      await transaction.commit(last, MAX_COMMIT_MS);
    } catch (error) {
      logger.warn('A prepared burst could not be committed; its jobs are planned as any other', {
        jobs: jobIds.size,
        error,
      });
    }
    // Of a commit whose answer is lost, too, executions may be there.
    onWaiting();
    loop.wake();
  }

  const loop = createLoop({ name: 'burst', step, onError });
  return {
    ...loop,
    get dueAtMs() {
      return loop.dueAtMs;
    },
    holds: (jobId) => held?.jobIds.has(jobId) ?? false,
    heldUntil: () => held?.scheduledAt ?? null,
    commit,
    async stop() {
      isStopped = true;
      await loop.stop();
      await held?.transaction.rollback();
      held = null;
    },
  };
}
