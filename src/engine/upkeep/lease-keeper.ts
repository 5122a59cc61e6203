import type { Clock } from '../../domain/values/clock.ts';
import { createLogger } from '../../logging/logger.ts';
import { extendLeases, type HeldClaim } from '../../store/executions/leases.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import { logIds } from '../running/log-ids.ts';
import { createLoop, type Loop } from '../../async/loop.ts';
import type { Worker } from '../running/worker.ts';

const logger = createLogger('LeaseKeeper');

export interface LeaseKeeperOptions {
  /** A connection of its own is best: load on the others must not let leases end. */
  db: Queryable;
  clock: Clock;
  worker: Pick<Worker, 'held' | 'isCalling' | 'end' | 'extendLease'>;
  leaseMs: number;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/** A cancellation from another instance is seen within this time. */
const MAX_INTERVAL_MS = 1_000;
/** The share of a lease that is always left: enough for a try without an answer and for the next one. */
const LEAST_SHARE = 3 / 4;
/** The share of a lease to wait after a failed try. A second try and its answer still fit into a short lease. */
const RETRY_SHARE = 1 / 8;

/**
 * Keeps the leases of this instance. One statement extends all of them early enough. The keeper ends calls whose
 * claim is lost, because another instance decides about them now. It also ends calls of cancelled executions.
 */
export function createLeaseKeeper(options: LeaseKeeperOptions): Loop {
  const { db, clock, worker, leaseMs, onError, monotonicMs = () => performance.now() } = options;
  const intervalMs = Math.min(leaseMs / 3, MAX_INTERVAL_MS);

  async function step(): Promise<number> {
    const held = worker.held();
    if (held.length === 0) return intervalMs;
    // The time before the statement, so no lease looks longer than it is.
    const askedMs = monotonicMs();
    // A lease that is not extended now must last until the next look.
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
   * Ends the call of a lost claim. Nothing is to end if its record is written or in progress, or if the instance has
   * a newer claim of the execution.
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
