import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import { createLogger } from '../../logging/logger.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';
import { findBurst, readIdsOfBurst, readJobsOfBurst } from '../../store/executions/bursts.ts';
import { isRefused, isTooSlow } from '../../store/statements/failures.ts';
import {
  prepareWaitingSlots,
  tellPreparedSql,
  type PrefetchedSlot,
} from '../../store/executions/slot-starting.ts';
import {
  boundedBy,
  openTransaction,
  type OpenTransaction,
  type Queryable,
} from '../../store/statements/sql.ts';
import { isWaitedFor } from '../../store/executions/waiters.ts';
import { prefetch } from './next-slot.ts';

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
/** What there is no time for by then is left. */
const LAST_BATCH_MS = 100;
/** What a slot takes until it was measured. */
const FIRST_MS_PER_SLOT = 0.15;
/** So long before the instant jobs are held at most. */
const MAX_HELD_BEFORE_MS = 1_500;
/** So long behind it a process that is frozen holds them; a commit that would be later is none. */
const MAX_LATE_MS = 1_000;
/**
 * Shares of that: for the lock of the log, and for each statement, less than the pool ever allows, so that it is the database that
 * says so; and for the answer to the commit.
 */
const LOCK_WAIT_SHARE = 0.5;
const STATEMENT_SHARE = 0.9;
const COMMIT_SHARE = 2;
/** Behind its instant it may turn out that nothing has become of a slot, and its job is one of thousands to be planned. */
const LEAST_GRACE_MS = 5_000;
/** For the planner to start what it has foreseen, and to commit. */
const PLANNER_MS = 300;
/** Between two looks whether the jobs can still be held. */
const WATCH_MS = 50;
/** So long behind a burst its jobs may be on their way to the next one; and between two looks for that. */
const FOLLOWED_MS = 1_000;
const FOLLOW_MS = 250;
/** Where the database refuses one of it, or takes too long, all is made in vain, and would be with the next burst. */
const REFUSED_REST_MS = 600_000;

export function createBurst(options: BurstOptions): Burst {
  const { pool, clock, wakePlanner, onWaiting, onError, maxLateMs = MAX_LATE_MS } = options;
  const { monotonicMs = () => performance.now() } = options;
  const statementMs = maxLateMs * STATEMENT_SHARE;
  let held: Held | null = null;
  let msPerSlot = FIRST_MS_PER_SLOT;
  /** Bursts up to then are not made any more. */
  let doneUntilMs = 0;
  let refusedUntilMs = 0;
  let isStopped = false;
  let committing: Promise<void> | null = null;

  const restUntil = (at: Date): number => at.getTime() - clock.now().getTime();

  async function step(): Promise<number> {
    if (held) return watch(held);
    // Until then its jobs are where they were.
    await committing;
    const nowMs = clock.now().getTime();
    // The clock was set back.
    if (doneUntilMs > nowMs + 2 * MAX_HELD_BEFORE_MS) doneUntilMs = nowMs;
    const isFollowed = nowMs < doneUntilMs + FOLLOWED_MS;
    return Math.min(await lookAhead(nowMs), isFollowed ? FOLLOW_MS : Infinity);
  }

  /** Makes the next burst, where it is time for that; answers when to look again. */
  async function lookAhead(nowMs: number): Promise<number> {
    const burst = await findBurst(pool, new Date(Math.max(nowMs, doneUntilMs, refusedUntilMs)));
    if (!burst) return Infinity;
    const { at, jobs } = burst;
    const restMs = restUntil(at);
    // It may have grown by then.
    if (restMs > MAX_HELD_BEFORE_MS) return restMs - MAX_HELD_BEFORE_MS;
    const leadMs = SPARE_MS + msPerSlot * Math.min(jobs - FORESEEN, MAX_MADE);
    if (restMs > leadMs) return restMs - leadMs;
    doneUntilMs = at.getTime();
    await make(at);
    return 0;
  }

  /** Looks after what is made until it is committed; answers when to look again. */
  async function watch(watched: Held): Promise<number> {
    const restMs = restUntil(watched.scheduledAt);
    if (restMs > 2 * MAX_HELD_BEFORE_MS || (restMs > 0 && (await mustGiveWay(watched)))) {
      await giveUp();
      return FOLLOW_MS;
    }
    if (restMs > -PLANNER_MS) return Math.min(restMs + PLANNER_MS, WATCH_MS);
    await commit();
    wakePlanner();
    return 0;
  }

  /** Where it cannot be asked who waits, its connection is lost, and with that the burst. */
  async function mustGiveWay({ transaction }: Held): Promise<boolean> {
    try {
      return await isInTheWay(transaction);
    } catch (error) {
      logger.warn('A prepared burst is lost; its jobs are planned as any other', { error });
      return true;
    }
  }

  /** Those who wait for the jobs have so many connections that others get none. */
  async function isInTheWay({ tx }: OpenTransaction): Promise<boolean> {
    return pool.waitingCount > 0 && isWaitedFor(boundedBy(tx, statementMs));
  }

  async function make(scheduledAt: Date): Promise<void> {
    try {
      const ids = await readIdsOfBurst(pool, scheduledAt, { behind: FORESEEN, limit: MAX_MADE });
      if (ids.length > 0) await makeAll(scheduledAt, ids);
    } catch (error) {
      logger.warn('A burst could not be prepared; its jobs are planned as any other', { error });
      noteFailure(error, scheduledAt);
    }
  }

  function noteFailure(error: unknown, scheduledAt: Date): void {
    if (isRefused(error) || isTooSlow(error)) refusedUntilMs = scheduledAt.getTime() + REFUSED_REST_MS;
  }

  async function makeAll(scheduledAt: Date, ids: readonly string[]): Promise<void> {
    const transaction = await openTransaction(pool, MAX_HELD_BEFORE_MS + maxLateMs);
    const made: Held = { scheduledAt, jobIds: new Set(), executionIds: [], transaction, isMade: false };
    held = made;
    const startedMs = monotonicMs();
    let tried = 0;
    try {
      await transaction.tx.query(`SET LOCAL statement_timeout = ${statementMs}`);
      while (tried < ids.length && (await mayGoOn(made))) {
        const batch = ids.slice(tried, tried + BATCH);
        await makeBatch(made, batch);
        tried += batch.length;
      }
    } catch (error) {
      held = null;
      await transaction.rollback(error);
      throw error;
    }
    // Less only step by step: another instance may have made most of it.
    if (tried > 0) msPerSlot = Math.max((monotonicMs() - startedMs) / tried, msPerSlot / 2);
    if (made.jobIds.size === 0 || isStopped) return giveUp();
    made.isMade = true;
    logger.debug('Prepared a burst', { jobs: made.jobIds.size, executions: made.executionIds.length });
    wakePlanner();
  }

  async function mayGoOn({ scheduledAt, transaction }: Held): Promise<boolean> {
    return !isStopped && restUntil(scheduledAt) > LAST_BATCH_MS && !(await isInTheWay(transaction));
  }

  /** What is no plain slot, has changed or is held by somebody is left to the planner. */
  async function makeBatch({ scheduledAt, jobIds, executionIds, transaction }: Held, ids: string[]) {
    const tx = boundedBy(transaction.tx, statementMs);
    const jobs = await readJobsOfBurst(tx, scheduledAt, ids);
    const slots = jobs.flatMap((job) => prefetch(job) ?? []).filter(mayBeHeld);
    if (slots.length === 0) return;
    const made = await prepareWaitingSlots(tx, {
      slots,
      scheduledAt,
      maxStandstillMs: Math.max(restUntil(scheduledAt), 0) + maxLateMs,
      maxLockWaitMs: maxLateMs * LOCK_WAIT_SHARE,
    });
    for (const jobId of made.jobIds) jobIds.add(jobId);
    executionIds.push(...made.executionIds);
  }

  /** The one under way, where there is one. */
  async function commit(): Promise<void> {
    if (held?.isMade) {
      if (restUntil(held.scheduledAt) < -maxLateMs) return giveUp();
      committing = commitHeld(held).finally(() => (committing = null));
      held = null;
    }
    return committing ?? undefined;
  }

  async function commitHeld({ scheduledAt, transaction, jobIds, executionIds }: Held): Promise<void> {
    try {
      const last = executionIds.length > 0 ? tellPreparedSql(executionIds) : undefined;
      await transaction.commit(last, maxLateMs * COMMIT_SHARE);
    } catch (error) {
      logger.warn('A prepared burst could not be committed; its jobs are planned as any other', {
        jobs: jobIds.size,
        error,
      });
      noteFailure(error, scheduledAt);
    }
    // Of a commit whose answer is lost, too, executions may be there.
    onWaiting();
    loop.wake();
  }

  async function giveUp(): Promise<void> {
    if (!held) return;
    const { transaction, jobIds } = held;
    held = null;
    logger.debug('A burst is given up', { jobs: jobIds.size });
    await transaction.rollback();
  }

  const loop = createLoop({ name: 'burst', step, onError });
  return extendLoop(loop, {
    holds: (jobId) => held?.jobIds.has(jobId) ?? false,
    heldUntil: () => (held?.isMade ? held.scheduledAt : null),
    commit,
    async stop() {
      isStopped = true;
      await loop.stop();
      await giveUp();
      await committing;
    },
  });
}

/** What would be missed with a holder that is frozen is left to whoever is not. */
function mayBeHeld({ scheduledAt, onTimeUntil }: PrefetchedSlot): boolean {
  return onTimeUntil.getTime() >= scheduledAt.getTime() + LEAST_GRACE_MS;
}
