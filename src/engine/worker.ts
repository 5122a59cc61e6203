import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { createLogger } from '../logging/logger.ts';
import { claimDue, fullHosts, nextAvailableAt, type ClaimedExecution } from '../store/claiming.ts';
import type { HeldClaim } from '../store/leases.ts';
import { logIds } from './log-ids.ts';
import { createLoop, type Loop } from '../loop.ts';
import { runExecution, type EndReason, type RunDeps } from './run-execution.ts';

const logger = createLogger('Worker');

export interface WorkerOptions extends RunDeps {
  pool: Pool;
  clock: Clock;
  instanceId: string;
  /** Calls under way at once. */
  maxConcurrency: number;
  /** Calls under way at once at one host: one that hangs must not take all places. */
  maxConcurrencyPerHost: number;
  leaseMs: number;
  pollIntervalMs: number;
  onClaimed: () => void;
  onError: (error: unknown) => void;
}

/** Claims due executions as capacity allows, and runs them. */
export interface Worker extends Loop {
  /** What this instance holds now. */
  held: () => HeldClaim[];
  /** Ends a call from our side; the reason decides what becomes of its execution. */
  end: (executionId: string, reason: EndReason) => void;
  /** Resolves when nothing is held any more. */
  drained: () => Promise<void>;
}

/** What is due and could not be claimed is locked by somebody: most often another instance that is claiming it. */
const LOCKED_RETRY_MS = 20;

/** Executions in one claim: enough to share its cost, few enough to leave some to other instances. */
const MAX_CLAIM = 200;

/** Between two looks past the backlog of hosts that have no place left. */
const MIN_DEEP_LOOK_MS = 100;
const MAX_DEEP_LOOK_MS = 1_000;

interface Held {
  claim: HeldClaim;
  host: string;
  controller: AbortController;
  done: Promise<void>;
}

export function createWorker(options: WorkerOptions): Worker {
  const { pool, clock, instanceId, maxConcurrency, leaseMs, pollIntervalMs, onClaimed, onError } = options;
  const hostLimit = options.maxConcurrencyPerHost;
  const held = new Map<string, Held>();
  let nextDeepLookMs = 0;
  let deepLookIntervalMs = MIN_DEEP_LOOK_MS;

  async function step(): Promise<number> {
    // Whatever ends first wakes the loop.
    if (held.size >= maxConcurrency) return pollIntervalMs;
    const now = clock.now();
    const claimed = await claim(now, false);
    if (claimed === MAX_CLAIM || held.size >= maxConcurrency) return 0;
    if (fullHosts({ busyHosts: busyHosts(), hostLimit }).length > 0) return lookPastFullHosts(now);
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
    const claimed = await claim(now, true);
    deepLookIntervalMs = claimed > 0 ? MIN_DEEP_LOOK_MS : Math.min(deepLookIntervalMs * 2, MAX_DEEP_LOOK_MS);
    nextDeepLookMs = performance.now() + deepLookIntervalMs;
    return Math.min(deepLookIntervalMs, pollIntervalMs);
  }

  async function claim(now: Date, isDeep: boolean): Promise<number> {
    const claimed = await claimDue(pool, {
      instanceId,
      now,
      leaseExpiresAt: new Date(now.getTime() + leaseMs),
      limit: Math.min(maxConcurrency - held.size, MAX_CLAIM),
      busyHosts: busyHosts(),
      hostLimit,
      isDeep,
    });
    for (const execution of claimed) hold(execution);
    if (claimed.length > 0) onClaimed();
    return claimed.length;
  }

  function busyHosts(): Map<string, number> {
    const calls = new Map<string, number>();
    for (const { host } of held.values()) calls.set(host, (calls.get(host) ?? 0) + 1);
    return calls;
  }

  function hold(execution: ClaimedExecution): void {
    // A claim that was lost and has come back to us: its earlier call would go on beside the new one, kept by nobody.
    end(execution.id, 'leaseLost');
    const controller = new AbortController();
    const done = runExecution(execution, options, controller.signal)
      .then((status) => {
        logger.info('Attempt ended', {
          ...logIds({ executionId: execution.id, jobId: execution.jobId }),
          attempt: execution.attemptCount,
          status: status ?? 'claim lost',
        });
      })
      .catch(onError)
      .finally(() => {
        // Only our own entry: after a lost lease the same execution may have been claimed again.
        if (held.get(execution.id)?.controller === controller) held.delete(execution.id);
        loop.wake();
      });
    held.set(execution.id, {
      claim: { executionId: execution.id, claimSeq: execution.claimSeq },
      host: execution.host,
      controller,
      done,
    });
  }

  function end(executionId: string, reason: EndReason): void {
    held.get(executionId)?.controller.abort(reason);
  }

  const loop = createLoop({ name: 'worker', step, onError });
  return {
    ...loop,
    get lastSuccessMs() {
      return loop.lastSuccessMs;
    },
    held: () => [...held.values()].map((entry) => entry.claim),
    end,
    async drained() {
      while (held.size > 0) await Promise.all([...held.values()].map((entry) => entry.done));
    },
  };
}
