import type { Clock } from '../domain/clock.ts';
import type { ClaimedExecution } from '../store/claimed-rows.ts';
import type { ClaimTerms } from '../store/running-by-hand.ts';
import type { Worker } from './worker.ts';

export interface ClaimAsMadeOptions {
  worker: Pick<Worker, 'hostsFullFor' | 'take'>;
  clock: Clock;
  instanceId: string;
  leaseMs: number;
  /** Whether anything is run here at the moment. */
  isRunning: () => boolean;
}

export interface ClaimsAsMade {
  /**
   * Has a statement claim the execution that it makes, and runs what it has claimed.
   *
   * @param make is given null where nothing may be claimed: others wait for a place, or nothing runs here
   */
  claimAsMade: <Made extends { claimed: ClaimedExecution | null }>(
    make: (terms: ClaimTerms | null) => Promise<Made>,
  ) => Promise<Made>;
  /** Resolves when no such statement is under way any more. */
  idle: () => Promise<void>;
}

/**
 * Lets whoever makes an execution claim it for this instance in the same statement, where there is a place: the call of a run
 * by hand goes out one statement after the request for it, and not after a claim of its own.
 *
 * Its host is known to the statement alone, so what is made at the same moment counts at all hosts together, not at each: a
 * few may find no place and wait for one, as what is claimed ahead.
 */
export function createClaimsAsMade({
  worker,
  clock,
  instanceId,
  leaseMs,
  isRunning,
}: ClaimAsMadeOptions): ClaimsAsMade {
  const underWay = new Set<Promise<unknown>>();

  function terms(): ClaimTerms | null {
    const fullHosts = isRunning() ? worker.hostsFullFor(underWay.size + 1) : null;
    return fullHosts && { instanceId, leaseExpiresAt: new Date(clock.now().getTime() + leaseMs), fullHosts };
  }

  return {
    async claimAsMade(make) {
      const offered = terms();
      if (offered === null) return make(null);
      const making = make(offered);
      underWay.add(making);
      try {
        const made = await making;
        if (made.claimed !== null) worker.take([made.claimed]);
        return made;
      } finally {
        underWay.delete(making);
      }
    },
    async idle() {
      await Promise.allSettled(underWay);
    },
  };
}
