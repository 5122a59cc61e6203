import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { concurrencyLimit, MAX_BLOCKED, NO_LOAD } from '../domain/concurrency.ts';
import { readLoads } from '../store/concurrency.ts';
import { inTransaction } from '../store/sql.ts';
import { lockBlockedJobs, unblock } from '../store/unblocking.ts';
import { createLoop, type Loop } from '../loop.ts';

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

  async function step(): Promise<number> {
    const { jobs, unblocked } = await unblockBatch();
    isAnythingBlocked = jobs > 0;
    if (unblocked > 0) onUnblocked();
    if (jobs === BATCH_JOBS) return 0;
    return isAnythingBlocked ? Math.min(WATCH_MS, longestRestMs) : longestRestMs;
  }

  function unblockBatch(): Promise<{ jobs: number; unblocked: number }> {
    return inTransaction(pool, async (tx) => {
      const jobs = await lockBlockedJobs(tx, BATCH_JOBS);
      const loads = await readLoads(
        tx,
        jobs.map((job) => job.id),
      );
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
      return { jobs: jobs.length, unblocked };
    });
  }

  const loop = createLoop({ name: 'unblocker', step, onError });
  return {
    ...loop,
    get dueAtMs() {
      return loop.dueAtMs;
    },
    noteEnd() {
      if (isAnythingBlocked) loop.wake();
    },
  };
}
