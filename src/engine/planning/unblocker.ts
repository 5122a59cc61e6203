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

/** Admits executions that waited for earlier ones of their job. */
export interface Unblocker extends Loop {
  /**
   * Says that an execution has ended. The unblocker looks at once if it knows of a blocked execution, and does
   * nothing otherwise.
   */
  noteEnd: () => void;
}

const BATCH_JOBS = 500;
/**
 * The rest while an execution is blocked. The end that it waits for may come on an instance that does not know about
 * it.
 */
const WATCH_MS = 1_000;

export function createUnblocker({
  pool,
  clock,
  longestRestMs,
  onUnblocked,
  onError,
}: UnblockerOptions): Unblocker {
  let isAnythingBlocked = true;
  /** The last job of the batch before, when more follow. Jobs without room must not delay the others. */
  let after: string | null = null;
  /** An execution has ended since the round began. It may belong to a job from earlier in the round. */
  let hasEndedSince = false;

  async function step(): Promise<number> {
    const first = after;
    if (first === null) hasEndedSince = false;
    // After a failure the next round starts from the beginning.
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
        // A job without a limit now may admit all its blocked executions.
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
