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
  /** Whether this instance holds an execution, or has called it under this claim and could not record what came of that. */
  holds: (claim: HeldClaim) => boolean;
  onError: (error: unknown) => void;
}

/**
 * A statement whose answer is lost may have claimed executions all the same, at once or a while later. Nobody holds them and
 * nobody has called them; but when their leases end they would be taken for such as were called, perhaps, and one of an
 * ATMOST_ONCE job would have failed. So this instance looks for them, for as long as those leases last, and gives them back.
 *
 * It knows them by the instant of the claim, which only those share that were claimed in the same millisecond. Of these it
 * leaves alone what it holds, and all of them while an answer may still come that tells of some.
 */
export interface LostClaims extends Loop {
  /**
   * Makes a claim.
   *
   * @param leaseExpiresAt as it is by the instant of the claim, for all that the claim takes
   * @throws what `claim` throws
   */
  watch: <Answer>(leaseExpiresAt: Date, claim: () => Promise<Answer>) => Promise<Answer>;
  /** Stops, after a last look for all that was lost: no claim may be under way any more. Resolves when what it found is recorded. */
  end: () => Promise<void>;
}

/** So old are claims at least that are taken for lost: whatever was answered has been taken by then. */
const LEAST_AGE_MS = 1_000;
const LOOK_MS = 1_000;
/** At the end, while the database is away. */
const LAST_LOOKS = 5;
const LAST_LOOK_MS = 500;
/** While the database is away each step of each loop may lose a claim. What is not remembered waits for the end of its lease. */
const MAX_REMEMBERED = 1_000;

export function createLostClaims(options: LostClaimsOptions): LostClaims {
  const { db, clock, settler, instanceId, leaseMs, holds, onError } = options;
  /** How many claims are under way, or answered in this turn, by their instants. */
  const underWay = new Map<number, number>();
  /** The instants of claims whose answers were lost. */
  const lost = new Set<number>();
  /** What is being given back, by the ids of executions. */
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
      // What was claimed may be taken in the next turn only.
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
    // From then on it is whoever rescues them that decides; not before this look, as the database may have been away.
    for (const madeMs of sought) if (madeMs + leaseMs <= nowMs && !underWay.has(madeMs)) lost.delete(madeMs);
  }

  /** Answers whether the database was there. */
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
