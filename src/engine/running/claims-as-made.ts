import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../domain/values/clock.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import type { ClaimAsMade, ClaimTerms } from '../../store/executions/manual-runs.ts';
import { createLogger } from '../../logging/logger.ts';
import { logIds } from './log-ids.ts';
import type { LostClaims } from './lost-claims.ts';
import type { Worker } from './worker.ts';

const logger = createLogger('Worker');

export interface ClaimAsMadeOptions {
  worker: Pick<Worker, 'hostsFullFor' | 'take'>;
  lostClaims: Pick<LostClaims, 'watch'>;
  clock: Clock;
  instanceId: string;
  leaseMs: number;
  /** Whether anything is run here at the moment. */
  isRunning: () => boolean;
}

export interface ClaimsAsMade {
  claimAsMade: ClaimAsMade;
  /** Resolves when no such statement is under way any more, and all that was claimed is taken. */
  idle: () => Promise<void>;
}

/**
 * Lets whoever makes an execution claim it for this instance in the same statement, where there is a place: the call of a run
 * by hand goes out one statement after the request for it, and not after a claim of its own.
 *
 * Its host is known to the statement alone, so what is made at the same moment counts at each host.
 */
export function createClaimsAsMade({
  worker,
  lostClaims,
  clock,
  instanceId,
  leaseMs,
  isRunning,
}: ClaimAsMadeOptions): ClaimsAsMade {
  const underWay = new Set<Promise<unknown>>();

  function terms(): ClaimTerms | null {
    const fullHosts = isRunning() ? worker.hostsFullFor(underWay.size + 1) : null;
    const claimedAt = clock.now();
    const leaseExpiresAt = new Date(claimedAt.getTime() + leaseMs);
    return fullHosts && { instanceId, claimedAt, leaseExpiresAt, fullHosts };
  }

  /** In a turn of its own: to begin a call takes longer than to send the answer to whoever asked for the run. */
  async function takeBehindAnswer(executionId: string, claimed: ClaimedExecution | null): Promise<void> {
    if (claimed === null) return;
    await nextTurn();
    try {
      worker.take([claimed]);
    } catch (error) {
      logger.error('A claim could not be taken; its lease will end', { ...logIds({ executionId }), error });
    }
  }

  return {
    async claimAsMade(executionId, make) {
      const offered = terms();
      if (offered === null) return make(null);
      const making = lostClaims.watch(offered.leaseExpiresAt, () => make(offered));
      const taking = making
        .then(
          ({ claimed }) => takeBehindAnswer(executionId, claimed),
          () => undefined,
        )
        .finally(() => underWay.delete(taking));
      underWay.add(taking);
      return making;
    },
    async idle() {
      await Promise.allSettled(underWay);
    },
  };
}
