import type { Clock } from '../../domain/values/clock.ts';
import { createLogger } from '../../logging/logger.ts';
import { extendLeases, type HeldClaim } from '../../store/executions/leases.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import { logIds } from '../running/log-ids.ts';
import { createLoop, type Loop } from '../../async/loop.ts';
import type { Worker } from '../running/worker.ts';

const logger = createLogger('LeaseKeeper');

export interface LeaseKeeperOptions {
  /** Best a connection that nobody else uses: what keeps the others busy must not let leases end. */
  db: Queryable;
  clock: Clock;
  worker: Pick<Worker, 'held' | 'isCalling' | 'end' | 'extendLease'>;
  leaseMs: number;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/** A cancellation asked for on another instance is seen within this. */
const MAX_INTERVAL_MS = 1_000;
/** So much of a lease is always left: enough for a try that is never answered, and for the next. */
const LEAST_SHARE = 3 / 4;
/** After a try that failed: soon enough for a second one, and its answer, within a short lease. */
const RETRY_SHARE = 1 / 8;

/**
 * Keeps what this instance has in flight: extends leases in good time, all in one statement, ends the calls whose claim was lost,
 * because another instance decides about those now, and those whose cancellation was asked for.
 */
export function createLeaseKeeper(options: LeaseKeeperOptions): Loop {
  const { db, clock, worker, leaseMs, onError, monotonicMs = () => performance.now() } = options;
  const intervalMs = Math.min(leaseMs / 3, MAX_INTERVAL_MS);

  async function step(): Promise<number> {
    const held = worker.held();
    if (held.length === 0) return intervalMs;
    // Taken before the statement is sent, so that no lease is taken to be longer than it is.
    const askedMs = monotonicMs();
    // What is not extended now has to last until the next look.
    const leastMs = LEAST_SHARE * leaseMs + intervalMs;
    const kept = await extendLeases(db, held, { now: clock.now(), leaseMs, leastMs });
    for (const claim of held) {
      const state = kept.get(claim.executionId);
      if (state && state.leftMs !== null) worker.extendLease(claim, askedMs + state.leftMs);
      if (state?.cancelRequested) worker.end(claim.executionId, 'cancelled');
      else if (!state) endLost(claim);
    }
    return intervalMs;
  }

  /**
   * Unless it was settled meanwhile, is being settled at this moment, or was even claimed anew: the call of another claim
   * is not ours to end.
   */
  function endLost(claim: HeldClaim): void {
    if (!worker.isCalling(claim)) return;
    const { executionId } = claim;
    logger.warn('A claim was lost; its call is ended', logIds({ executionId }));
    worker.end(executionId, 'leaseLost');
  }

  return createLoop({
    name: 'lease keeper',
    step,
    retryMs: Math.min(leaseMs * RETRY_SHARE, MAX_INTERVAL_MS),
    onError,
  });
}
