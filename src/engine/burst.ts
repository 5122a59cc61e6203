import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { createLogger } from '../logging/logger.ts';
import { createLoop, type Loop } from '../loop.ts';
import { findBurst, readIdsOfBurst, readJobsOfBurst } from '../store/bursts.ts';
import { isAway } from '../store/failures.ts';
import { prepareWaitingSlots, tellPreparedSql } from '../store/slot-starting.ts';
import { openTransaction, type OpenTransaction, type Queryable } from '../store/sql.ts';
import { foresee } from './foresee.ts';
import { mayBeHeld } from './prepared-slots.ts';

const logger = createLogger('Planner');

export interface BurstOptions {
  pool: Queryable & Pick<Pool, 'connect' | 'waitingCount'>;
  clock: Clock;
  /** Called when it is made, and when it was committed without the planner: that is to look for what comes next. */
  wakePlanner: () => void;
  /** Called when its executions are there, and wait to be claimed. */
  onWaiting: () => void;
  onError: (error: unknown) => void;
  /** For how long behind its instant it may be committed. */
  maxLateMs?: number;
  monotonicMs?: () => number;
}

/**
 * A burst: at one instant so many jobs are due that the database would be busy with planning them while their calls are to
 * be made. The first ones of it are foreseen and prepared as ever, and have calls under way at once; the executions of the others
 * are made in the second or so before, in a transaction that is committed behind those, and wait to be claimed.
 *
 * As with slots that are prepared, nobody sees anything of it before, who wants to change one of the jobs waits until then, and
 * with this process, its connection or a standstill it ends as if it had never been. The planner goes on meanwhile: none of the
 * jobs is due any sooner. Where it does not come to commit the burst in time, the burst does so itself, by the connection that it
 * has: who waits for the jobs may have all others.
 */
export interface Burst extends Loop {
  /** Whether the job is held until its next slot. */
  holds: (jobId: string) => boolean;
  /** The instant for which a burst is made; null where none is. */
  heldUntil: () => Date | null;
  /** Makes true what is made, now that its instant has come. Never throws: what is not made is planned as any other slot. */
  commit: () => Promise<void>;
}

interface Held {
  scheduledAt: Date;
  jobIds: Set<string>;
  executionIds: string[];
  transaction: OpenTransaction;
  /** Whether nothing is to be added any more. */
  isMade: boolean;
}

/** Of the jobs of a burst so many are left to be foreseen: what is started at once, where there are places. */
const FORESEEN = 500;
const MAX_MADE = 10_000;
/** Slots in one statement, and jobs that are computed with in one turn. */
const BATCH = 500;
/** It is to be made by the time at which the first ones are foreseen: from then on there is a lot to do. */
const SPARE_MS = 250;
/** What a slot takes until it was measured. */
const FIRST_MS_PER_SLOT = 0.15;
/** So long before the instant jobs are held at most. */
const MAX_HELD_BEFORE_MS = 1_500;
/** So long behind it a process that is frozen holds them; a commit that would be later is none. */
const MAX_LATE_MS = 1_000;
/** For the planner to start what it has foreseen, and to commit. */
const PLANNER_MS = 100;
/** Between two looks whether the jobs can still be held. */
const WATCH_MS = 50;
/** For the lock of the log, and for the answer to the commit. */
const MAX_LOCK_WAIT_MS = 500;
const MAX_COMMIT_MS = 2_000;
/** Where the database refuses one of it, all is made in vain, and would be with the next burst. */
const REFUSED_REST_MS = 600_000;

export function createBurst(options: BurstOptions): Burst {
  const { pool, clock, wakePlanner, onWaiting, onError, maxLateMs = MAX_LATE_MS } = options;
  const { monotonicMs = () => performance.now() } = options;
  let held: Held | null = null;
  let msPerSlot = FIRST_MS_PER_SLOT;
  /** Bursts up to then are not made any more. */
  let doneUntil = new Date(0);
  let isStopped = false;

  const restUntil = (at: Date): number => at.getTime() - clock.now().getTime();

  async function step(): Promise<number> {
    if (held) return watch(held);
    const now = clock.now();
    const burst = await findBurst(pool, now > doneUntil ? now : doneUntil);
    if (!burst) return Infinity;
    const { at, jobs } = burst;
    const restMs = restUntil(at) - leadMs(jobs);
    if (restMs > 0) return restMs;
    doneUntil = at;
    await make(at);
    return 0;
  }

  function leadMs(jobs: number): number {
    const slots = Math.min(jobs - FORESEEN, MAX_MADE);
    return Math.min(SPARE_MS + msPerSlot * slots, MAX_HELD_BEFORE_MS);
  }

  /** Looks after what is made until it is committed; answers when to look again. */
  async function watch({ scheduledAt }: Held): Promise<number> {
    const restMs = restUntil(scheduledAt);
    const isSetBack = restMs > 2 * MAX_HELD_BEFORE_MS;
    // Those who wait for the jobs have so many connections that others get none.
    const isInTheWay = restMs > 0 && pool.waitingCount > 0;
    if (isSetBack || isInTheWay) {
      logger.debug('A burst is given up', { isSetBack, isInTheWay });
      await giveUp();
      return 0;
    }
    if (restMs > -PLANNER_MS) return Math.min(restMs + PLANNER_MS, WATCH_MS);
    await commit();
    wakePlanner();
    return 0;
  }

  async function make(scheduledAt: Date): Promise<void> {
    try {
      const ids = await readIdsOfBurst(pool, scheduledAt, { behind: FORESEEN, limit: MAX_MADE });
      if (ids.length > 0 && !isStopped) await makeAll(scheduledAt, ids);
    } catch (error) {
      logger.warn('A burst could not be prepared; its jobs are planned as any other', { error });
      if (!isAway(error)) doneUntil = new Date(scheduledAt.getTime() + REFUSED_REST_MS);
    }
  }

  async function makeAll(scheduledAt: Date, ids: readonly string[]): Promise<void> {
    const boundMs = longestMs(scheduledAt);
    const transaction = await openTransaction(pool, boundMs);
    const made: Held = { scheduledAt, jobIds: new Set(), executionIds: [], transaction, isMade: false };
    held = made;
    const startedMs = monotonicMs();
    try {
      await transaction.tx.query(`SET LOCAL statement_timeout = ${boundMs}`);
      for (let from = 0; from < ids.length && mayGoOn(made); from += BATCH) {
        await makeBatch(made, ids.slice(from, from + BATCH));
      }
    } catch (error) {
      held = null;
      await transaction.rollback(error);
      throw error;
    }
    if (made.jobIds.size === 0 || isStopped) return giveUp();
    msPerSlot = (monotonicMs() - startedMs) / ids.length;
    made.isMade = true;
    logger.debug('Prepared a burst', { jobs: made.jobIds.size, executions: made.executionIds.length });
    wakePlanner();
  }

  function mayGoOn({ scheduledAt }: Held): boolean {
    return !isStopped && pool.waitingCount === 0 && restUntil(scheduledAt) > 0;
  }

  /** What is no plain slot, has changed or is held by somebody is left to the planner. */
  async function makeBatch({ scheduledAt, jobIds, executionIds, transaction }: Held, ids: string[]) {
    const jobs = await readJobsOfBurst(transaction.tx, scheduledAt, ids);
    const slots = jobs.flatMap((job) => foresee(job) ?? []).filter(mayBeHeld);
    if (slots.length === 0) return;
    const made = await prepareWaitingSlots(transaction.tx, {
      slots,
      scheduledAt,
      maxStandstillMs: longestMs(scheduledAt),
      maxLockWaitMs: MAX_LOCK_WAIT_MS,
    });
    for (const jobId of made.jobIds) jobIds.add(jobId);
    executionIds.push(...made.executionIds);
  }

  /** What a statement, and a standstill, may take from now on. */
  function longestMs(scheduledAt: Date): number {
    return Math.max(restUntil(scheduledAt), 0) + maxLateMs;
  }

  async function commit(): Promise<void> {
    if (!held?.isMade) return;
    const { scheduledAt, transaction, jobIds, executionIds } = held;
    if (restUntil(scheduledAt) < -maxLateMs) return giveUp();
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
  }

  async function giveUp(): Promise<void> {
    const given = held;
    held = null;
    await given?.transaction.rollback();
  }

  const loop = createLoop({ name: 'burst', step, onError });
  return {
    ...loop,
    get dueAtMs() {
      return loop.dueAtMs;
    },
    holds: (jobId) => held?.jobIds.has(jobId) ?? false,
    heldUntil: () => (held?.isMade ? held.scheduledAt : null),
    commit,
    async stop() {
      isStopped = true;
      await loop.stop();
      await giveUp();
    },
  };
}
