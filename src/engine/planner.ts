import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { encodePublicId } from '../domain/public-id.ts';
import { createLogger } from '../logging/logger.ts';
import { isAway } from '../store/failures.ts';
import { nextPlanning, type DueRange, type NextPlanning } from '../store/planning.ts';
import { inTransaction } from '../store/sql.ts';
import { createLoop, type Loop } from '../loop.ts';
import { NOTHING, planBatch, type PlannedBatch } from './plan-batch.ts';
import { createSetAside } from './set-aside.ts';

const logger = createLogger('Planner');

export interface PlannerOptions {
  pool: Pool;
  clock: Clock;
  /** The longest sleep, where nothing is due and nobody wakes it. */
  longestRestMs: number;
  /** Draws the ids of entries of the audit log. */
  newId: (now: Date) => string;
  /** Takes up the jobs whose pause has ended; answers when the next pause ends: past where a job is held by somebody. */
  resumePaused: () => Promise<Date | null>;
  /** Called after each batch that planned something. */
  onPlanned: (planned: Pick<PlannedBatch, 'isAnythingBlocked' | 'isReplacing'>) => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/** A job that has been due for longer than this waits for those that have just become due. */
const BACKLOG_AFTER_MS = 60_000;
const EVER = new Date(0);
/** A job that is due, or whose pause has ended, and that could not be taken is held by somebody, perhaps for long. */
const LOCKED_RETRY_MS = 50;

/**
 * Turns due slots into executions. Sleeps until the earliest job is due, not from poll to poll; takes batches that no
 * other instance has locked; decides in domain/; writes each batch in one transaction.
 *
 * What an outage has left behind is planned batch by batch, and before each of them what has become due since: the
 * earliest first would have every slot wait until the whole backlog is planned.
 */
export function createPlanner(options: PlannerOptions): Loop {
  const { pool, clock, longestRestMs, newId, resumePaused, onPlanned, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  const setAside = createSetAside(monotonicMs);
  /** As it was when last looked at: what has come about since only adds to it. */
  let next: NextPlanning = { runAt: null, pauseEndsAt: null };

  async function step(): Promise<number> {
    const now = clock.now();
    const backlogUntil = new Date(now.getTime() - BACKLOG_AFTER_MS);
    const except = setAside.ids();
    const all = { except, only: null };
    if (!isPast(next.runAt, now)) next = await nextPlanning(pool, except);
    if (isPast(next.runAt, now)) {
      const fresh = await plan({ ...all, after: backlogUntil, until: now }, now);
      if (fresh.isMoreDue) return 0;
      next = await nextPlanning(pool, except);
    }
    const pauseEndsAt = isPast(next.pauseEndsAt, now) ? await resumePaused() : next.pauseEndsAt;
    const dueAt = next.runAt;
    if (dueAt === null || dueAt > now) return untilEarliest(dueAt, pauseEndsAt);
    if (dueAt > backlogUntil) return LOCKED_RETRY_MS;
    const backlog = await plan({ ...all, after: EVER, until: backlogUntil }, now);
    return backlog.jobs > 0 ? 0 : LOCKED_RETRY_MS;
  }

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
      ...setAside.add(jobId),
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

  return createLoop({ name: 'planner', step, onError });
}

function isPast(at: Date | null, moment: Date): boolean {
  return at !== null && at <= moment;
}
