import type { Clock } from '../domain/clock.ts';
import { createLogger } from '../logging/logger.ts';
import { createLoop, type Loop } from '../loop.ts';
import type { HeldClaim } from '../store/leases.ts';
import { findClaimsByLease } from '../store/lost-claims.ts';
import type { Queryable } from '../store/sql.ts';
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
  /** What this instance holds. */
  held: () => readonly HeldClaim[];
  onError: (error: unknown) => void;
}

/**
 * A statement whose answer is lost may have claimed executions all the same, at once or a while later. Nobody holds them and
 * nobody has called them; but when their leases end they would be taken for such as were called, perhaps, and one of an
 * ATMOST_ONCE job would have failed. So this instance looks for them, for as long as those leases last, and gives them back.
 *
 * It knows them by the ends of their leases, which only those have that were claimed in the same millisecond: of these it holds
 * the others, or is yet to hear of them, and then does not look.
 */
export interface LostClaims extends Loop {
  /**
   * Makes a claim.
   *
   * @param leaseExpiresAt of all that the claim takes
   * @throws what `claim` throws: then it is not known what was claimed
   */
  watch: <Answer>(leaseExpiresAt: Date, claim: () => Promise<Answer>) => Promise<Answer>;
}

/** So old are claims at least that are taken for lost: whatever was answered has been taken by then. */
const LEAST_AGE_MS = 1_000;
/** Between two looks, or a share of the time since the claim, where that is longer. */
const LOOK_MS = 1_000;
const LOOK_SHARE = 1 / 4;

export function createLostClaims(options: LostClaimsOptions): LostClaims {
  const { db, clock, settler, instanceId, leaseMs, held, onError } = options;
  /** How many claims are under way, by the ends of their leases. */
  const underWay = new Map<number, number>();
  /** The ends of leases of claims whose answers were lost. */
  const lost = new Set<number>();

  async function watch<Answer>(leaseExpiresAt: Date, claim: () => Promise<Answer>): Promise<Answer> {
    const endsMs = leaseExpiresAt.getTime();
    underWay.set(endsMs, (underWay.get(endsMs) ?? 0) + 1);
    try {
      return await claim();
    } catch (error) {
      lost.add(endsMs);
      loop.wake();
      throw error;
    } finally {
      const others = (underWay.get(endsMs) ?? 1) - 1;
      if (others === 0) underWay.delete(endsMs);
      else underWay.set(endsMs, others);
    }
  }

  async function step(): Promise<number> {
    const nowMs = clock.now().getTime();
    const ageMs = (endsMs: number) => nowMs - (endsMs - leaseMs);
    // From then on it is whoever rescues them that decides.
    for (const endsMs of lost) if (endsMs <= nowMs) lost.delete(endsMs);
    const sought = [...lost].filter((endsMs) => ageMs(endsMs) >= LEAST_AGE_MS && !underWay.has(endsMs));
    if (sought.length > 0) await giveBack(sought);
    const youngestMs = Math.min(...[...lost].map(ageMs));
    return lost.size === 0 ? Infinity : Math.max(LOOK_MS, youngestMs * LOOK_SHARE);
  }

  async function giveBack(sought: readonly number[]): Promise<void> {
    const found = await findClaimsByLease(
      db,
      instanceId,
      sought.map((endsMs) => new Date(endsMs)),
    );
    if (found.length === 0) return;
    const ours = new Set(held().map(({ executionId }) => executionId));
    const orphans = found.filter(({ executionId }) => !ours.has(executionId));
    await Promise.all(orphans.map(giveBackOne));
  }

  async function giveBackOne({ executionId, claimSeq }: HeldClaim): Promise<void> {
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
  return {
    ...loop,
    get dueAtMs() {
      return loop.dueAtMs;
    },
    watch,
  };
}
