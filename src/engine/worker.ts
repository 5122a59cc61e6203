import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { claimDue, fullHosts, nextAvailableAt } from '../store/claiming.ts';
import { createCalls, type Calls, type CallsOptions } from './calls.ts';
import { createLoop, type Loop } from '../loop.ts';

export interface WorkerOptions extends Omit<CallsOptions, 'onRoom'> {
  pool: Pool;
  clock: Clock;
  instanceId: string;
  leaseMs: number;
  pollIntervalMs: number;
  onClaimed: () => void;
}

/** Claims due executions as capacity allows, and runs them. */
export interface Worker extends Loop, Pick<Calls, 'held' | 'end' | 'drained'> {}

/** What is due and could not be claimed is locked by somebody: most often another instance that is claiming it. */
const LOCKED_RETRY_MS = 20;

/** Executions in one claim: enough to share its cost, few enough to leave some to other instances. */
const MAX_CLAIM = 200;

/** Between two looks past the backlog of hosts that have no place left. */
const MIN_DEEP_LOOK_MS = 100;
const MAX_DEEP_LOOK_MS = 1_000;

export function createWorker(options: WorkerOptions): Worker {
  const { pool, clock, instanceId, leaseMs, pollIntervalMs, onClaimed, onError } = options;
  const hostLimit = options.maxConcurrencyPerHost;
  let nextDeepLookMs = 0;
  let deepLookIntervalMs = MIN_DEEP_LOOK_MS;
  /** Whether the last claim has left anything behind for want of a place. */
  let isMoreDue = false;
  const calls = createCalls({
    ...options,
    onRoom() {
      if (isMoreDue) loop.wake();
    },
  });

  async function step(): Promise<number> {
    isMoreDue = true;
    // Whatever ends first wakes the loop.
    if (calls.room() <= 0) return pollIntervalMs;
    const now = clock.now();
    const { claimed, limit } = await claim(now, false);
    if (claimed === limit) return calls.room() > 0 ? 0 : pollIntervalMs;
    if (fullHosts({ busyHosts: calls.load(), hostLimit }).length > 0) return lookPastFullHosts(now);
    isMoreDue = false;
    const availableAt = await nextAvailableAt(pool);
    if (availableAt === null) return pollIntervalMs;
    if (availableAt <= now) return claimed > 0 ? 0 : LOCKED_RETRY_MS;
    return Math.min(availableAt.getTime() - clock.now().getTime(), pollIntervalMs);
  }

  /**
   * The head of the queue may be nothing but the backlog of a host that hangs; what is due behind it must not wait.
   * Looking past a long backlog costs the database some milliseconds, so not with each step, and less often while there
   * is nothing behind it.
   */
  async function lookPastFullHosts(now: Date): Promise<number> {
    const waitMs = nextDeepLookMs - performance.now();
    if (waitMs > 0) return Math.min(waitMs, pollIntervalMs);
    const { claimed } = await claim(now, true);
    deepLookIntervalMs = claimed > 0 ? MIN_DEEP_LOOK_MS : Math.min(deepLookIntervalMs * 2, MAX_DEEP_LOOK_MS);
    nextDeepLookMs = performance.now() + deepLookIntervalMs;
    return Math.min(deepLookIntervalMs, pollIntervalMs);
  }

  async function claim(now: Date, isDeep: boolean): Promise<{ claimed: number; limit: number }> {
    const limit = Math.min(calls.room(), MAX_CLAIM);
    const claimed = await claimDue(pool, {
      instanceId,
      now,
      leaseExpiresAt: new Date(now.getTime() + leaseMs),
      limit,
      busyHosts: calls.load(),
      hostLimit,
      isDeep,
    });
    for (const execution of claimed) calls.add(execution);
    if (claimed.length > 0) onClaimed();
    return { claimed: claimed.length, limit };
  }

  const loop = createLoop({ name: 'worker', step, onError });
  return {
    ...loop,
    get lastSuccessMs() {
      return loop.lastSuccessMs;
    },
    held: calls.held,
    end: calls.end,
    drained: calls.drained,
  };
}
