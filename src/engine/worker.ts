import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { createLogger } from '../logging/logger.ts';
import { claimDue, nextAvailableAt, type ClaimedExecution } from '../store/claiming.ts';
import type { HeldClaim } from '../store/leases.ts';
import { logIds } from './log-ids.ts';
import { createLoop, type Loop } from './loop.ts';
import { runExecution, type EndReason, type RunDeps } from './run-execution.ts';

const logger = createLogger('Worker');

export interface WorkerOptions extends RunDeps {
  pool: Pool;
  clock: Clock;
  instanceId: string;
  /** Calls in flight at once. */
  maxConcurrency: number;
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

interface Held {
  claim: HeldClaim;
  controller: AbortController;
  done: Promise<void>;
}

export function createWorker(options: WorkerOptions): Worker {
  const { pool, clock, instanceId, maxConcurrency, leaseMs, pollIntervalMs, onClaimed, onError } = options;
  const held = new Map<string, Held>();

  async function step(): Promise<number> {
    const free = maxConcurrency - held.size;
    // Whatever ends first wakes the loop.
    if (free <= 0) return pollIntervalMs;
    const now = clock.now();
    const leaseExpiresAt = new Date(now.getTime() + leaseMs);
    const claimed = await claimDue(pool, { instanceId, now, leaseExpiresAt, limit: free });
    for (const execution of claimed) hold(execution);
    if (claimed.length > 0) onClaimed();
    if (claimed.length === free) return pollIntervalMs;
    const availableAt = await nextAvailableAt(pool);
    if (availableAt === null) return pollIntervalMs;
    if (availableAt <= now) return LOCKED_RETRY_MS;
    return Math.min(availableAt.getTime() - clock.now().getTime(), pollIntervalMs);
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
