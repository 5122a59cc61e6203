import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import { concurrencyLimit, MAX_BLOCKED, NO_LOAD } from '../../domain/job/concurrency.ts';
import { readLoads } from '../../store/executions/concurrency.ts';
import { inTransaction } from '../../store/statements/sql.ts';
import { lockBlockedJobs, unblock } from '../../store/executions/unblocking.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';

export interface UnblockerOptions {
  pool: Pool;
  clock: Clock;
  longestRestMs: number;
  onUnblocked: () => void;
  onError: (error: unknown) => void;
}

/** Admits executions that had to wait for earlier ones of their job. */
export interface Unblocker extends Loop {
  /** An execution has ended: looks at once if anything is known to be blocked, and does nothing otherwise. */
  noteEnd: () => void;
}

const BATCH_JOBS = 500;
/** While something is blocked: the end it waits for may come on an instance that knows nothing of it. */
const WATCH_MS = 1_000;

export function createUnblocker({
  pool,
  clock,
  longestRestMs,
  onUnblocked,
  onError,
}: UnblockerOptions): Unblocker {
  let isAnythingBlocked = true;
  /** The last job of the batch before, where more are behind it: those without room must not hold up the others. */
  let after: string | null = null;
  /** Something has ended since the round began: it may concern a job that was looked at before. */
  let hasEndedSince = false;

  async function step(): Promise<number> {
    const first = after;
    if (first === null) hasEndedSince = false;
    // Should it fail, the next round begins anew.
    after = null;
    const { jobIds, unblocked } = await unblockBatch(first);
    isAnythingBlocked = jobIds.length > 0 || first !== null;
    after = jobIds.length === BATCH_JOBS ? (jobIds.at(-1) ?? null) : null;
    if (unblocked > 0) onUnblocked();
    if (after !== null) return 0;
    if (first !== null && hasEndedSince) return 0;
    return isAnythingBlocked ? Math.min(WATCH_MS, longestRestMs) : longestRestMs;
  }

  function unblockBatch(first: string | null): Promise<{ jobIds: string[]; unblocked: number }> {
    return inTransaction(pool, async (tx) => {
      const jobs = await lockBlockedJobs(tx, { limit: BATCH_JOBS, after: first });
      const jobIds = jobs.map((job) => job.id);
      const loads = await readLoads(tx, jobIds);
      const rooms = jobs.map((job) => {
        const { running, waiting } = loads.get(job.id) ?? NO_LOAD;
        // A job whose limit was lifted owes all that it kept waiting.
        return {
          jobId: job.id,
          places: Math.min(Math.max(concurrencyLimit(job) - running - waiting, 0), MAX_BLOCKED),
        };
      });
      const unblocked = await unblock(
        tx,
        rooms.filter((room) => room.places > 0),
        clock.now(),
      );
      return { jobIds, unblocked };
    });
  }

  const loop = createLoop({ name: 'unblocker', step, onError });
  return extendLoop(loop, {
    noteEnd() {
      hasEndedSince = true;
      if (isAnythingBlocked) loop.wake();
    },
  });
}
