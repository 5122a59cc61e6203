import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../domain/clock.ts';
import type { ClaimedExecution } from '../store/claimed-rows.ts';
import type { ClaimAsMade, ClaimTerms } from '../store/running-by-hand.ts';
import { createLogger } from '../logging/logger.ts';
import { logIds } from './log-ids.ts';
import { recordUncalled } from './run-execution.ts';
import type { Settler } from './settler.ts';
import type { Worker } from './worker.ts';

const logger = createLogger('Worker');

/** What is claimed as it is made has this one. */
const FIRST_CLAIM = 1;

export interface ClaimAsMadeOptions {
  worker: Pick<Worker, 'hostsFullFor' | 'take'>;
  settler: Pick<Settler, 'settle'>;
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
 * Its host is known to the statement alone, so what is made at the same moment counts at each host. A statement whose answer
 * is lost may have claimed all the same: that is undone, lest the execution wait for its lease to end, and be taken for one
 * that was called.
 */
export function createClaimsAsMade({
  worker,
  settler,
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

  function undo(executionId: string): void {
    recordUncalled({ id: executionId, claimSeq: FIRST_CLAIM }, { settler, clock }, 'answerLost').catch(
      (error: unknown) => {
        logger.warn('A claim whose answer was lost could not be undone; its lease will end', {
          ...logIds({ executionId }),
          error,
        });
      },
    );
  }

  return {
    async claimAsMade(executionId, make) {
      const offered = terms();
      if (offered === null) return make(null);
      const making = make(offered);
      const taking = making
        .then(
          ({ claimed }) => takeBehindAnswer(executionId, claimed),
          () => {
            undo(executionId);
          },
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
