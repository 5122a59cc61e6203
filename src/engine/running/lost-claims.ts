import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../domain/values/clock.ts';
import { createLogger } from '../../logging/logger.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';
import { mayBeCarriedOut } from '../../store/statements/failures.ts';
import type { HeldClaim } from '../../store/executions/leases.ts';
import { findClaimsMadeAt } from '../../store/executions/lost-claims.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import { logIds } from './log-ids.ts';
import { recordUncalled } from './run-execution.ts';
import type { Settler } from './settler.ts';

const logger = createLogger('Worker');

export interface LostClaimsOptions {
  db: Queryable;
  clock: Clock;
  settler: Pick<Settler, 'settle'>;
  instanceId: string;
  leaseMs: number;
  /** Whether this instance holds an execution, or has called it under this claim without a recorded outcome. */
  holds: (claim: HeldClaim) => boolean;
  onError: (error: unknown) => void;
}

/**
 * A statement whose answer is lost may still claim executions, at once or a while later. Nobody holds or calls them.
 * But after their leases the rescuer cannot know that, and an ATMOST_ONCE execution would fail. So this instance
 * looks for them until their leases end, and gives them back.
 *
 * It finds them by the instant of the claim, which only claims of the same millisecond share. It skips those that it
 * holds, and waits while the answer of such a claim may still come.
 */
export interface LostClaims extends Loop {
  /**
   * Makes a claim.
   *
   * @param leaseExpiresAt the end of the lease, counted from the instant of the claim
   * @throws what `claim` throws
   */
  watch: <Answer>(leaseExpiresAt: Date, claim: () => Promise<Answer>) => Promise<Answer>;
  /**
   * Looks a last time for lost claims and stops. No claim may be in progress. Resolves when all found claims are
   * recorded.
   */
  end: () => Promise<void>;
}

/** The least age of a lost claim. Younger ones may still have an answer that this instance has not handled. */
const LEAST_AGE_MS = 1_000;
const LOOK_MS = 1_000;
/** The last looks at a stop, while the database is unreachable. */
const LAST_LOOKS = 5;
const LAST_LOOK_MS = 500;
/**
 * How many lost claims stay in memory. While the database is unreachable, each step may lose one. Others wait for the
 * end of their lease.
 */
const MAX_REMEMBERED = 1_000;

export function createLostClaims(options: LostClaimsOptions): LostClaims {
  const { db, clock, settler, instanceId, leaseMs, holds, onError } = options;
  /** How many claims are in progress or answered in this turn of the event loop, by instant. */
  const underWay = new Map<number, number>();
  /** The instants of claims whose answers were lost. */
  const lost = new Set<number>();
  /** The records in progress that give executions back, by execution id. */
  const givingBack = new Map<string, Promise<void>>();

  async function watch<Answer>(leaseExpiresAt: Date, claim: () => Promise<Answer>): Promise<Answer> {
    const madeMs = leaseExpiresAt.getTime() - leaseMs;
    underWay.set(madeMs, (underWay.get(madeMs) ?? 0) + 1);
    try {
      return await claim();
    } catch (error) {
      if (mayBeCarriedOut(error) && lost.size < MAX_REMEMBERED) {
        lost.add(madeMs);
        loop.wake();
      }
      throw error;
    } finally {
      // The claimed executions may reach their holder only in the next turn of the event loop.
      setImmediate(noteEnd, madeMs);
    }
  }

  function noteEnd(madeMs: number): void {
    const others = (underWay.get(madeMs) ?? 1) - 1;
    if (others === 0) underWay.delete(madeMs);
    else underWay.set(madeMs, others);
  }

  async function step(): Promise<number> {
    await look(LEAST_AGE_MS);
    return lost.size === 0 ? Infinity : LOOK_MS;
  }

  async function look(leastAgeMs: number): Promise<void> {
    const nowMs = clock.now().getTime();
    const sought = [...lost].filter((madeMs) => nowMs - madeMs >= leastAgeMs);
    if (sought.length === 0) return;
    const instants = sought.map((madeMs) => new Date(madeMs));
    const found = await findClaimsMadeAt(db, instanceId, instants);
    for (const claim of found) {
      const { executionId, claimedAt } = claim;
      if (underWay.has(claimedAt.getTime()) || holds(claim) || givingBack.has(executionId)) continue;
      const recording = giveBack(claim).finally(() => givingBack.delete(executionId));
      givingBack.set(executionId, recording);
    }
    // After the lease the rescuer decides. A claim is forgotten only after this look, because the database may have
    // been unreachable.
    for (const madeMs of sought) if (madeMs + leaseMs <= nowMs && !underWay.has(madeMs)) lost.delete(madeMs);
  }

  /** Returns whether the database answered. */
  async function isLookedFor(): Promise<boolean> {
    try {
      await look(-Infinity);
      return true;
    } catch (error) {
      onError(error);
      return false;
    }
  }

  async function giveBack({ executionId, claimSeq }: HeldClaim): Promise<void> {
    const ids = logIds({ executionId });
    try {
      const status = await recordUncalled({ id: executionId, claimSeq }, { settler, clock }, 'answerLost');
      if (status !== null) logger.warn('A claim whose answer was lost was given back', ids);
    } catch (error) {
      logger.warn('A claim whose answer was lost could not be given back; its lease will end', {
        ...ids,
        error,
      });
    }
  }

  const loop = createLoop({ name: 'lost claims', step, onError });
  return extendLoop(loop, {
    watch,
    async end() {
      await loop.stop();
      for (let looks = 1; !(await isLookedFor()) && looks < LAST_LOOKS; looks += 1) await delay(LAST_LOOK_MS);
      await Promise.all(givingBack.values());
    },
  });
}
