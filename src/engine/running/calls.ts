import { createLogger } from '../../logging/logger.ts';
import type { PlaceLimits } from '../../domain/execution/places.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import type { HeldClaim } from '../../store/executions/leases.ts';
import { createCallRunner, type CallRunner } from './call-runner.ts';
import { createClaimRoom, type ClaimRoom } from './claim-room.ts';
import { heldOf, HeldClaims, type Held } from './held-claims.ts';
import { createHostLimiter, type HostLimiter } from './host-limiter.ts';
import type { EndReason, RunDeps } from './run-execution.ts';

const logger = createLogger('Worker');

export interface CallsOptions extends RunDeps, PlaceLimits {
  leaseMs: number;
  /** A place has become free at a host for which next to nothing is waiting. */
  onRoom: () => void;
  /** A good part of what was held of a backlog has been recorded. */
  onBacklogRoom: () => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/**
 * What this instance has claimed, from the claim to the record of its outcome. A call takes a place only while it is
 * under way; what was claimed ahead of a place waits here for one, so that a place that becomes free is taken at once
 * and claims can be made for many executions together.
 */
export interface Calls extends Pick<ClaimRoom, 'room' | 'pauseMs' | 'backlogRoom'> {
  add: (execution: ClaimedExecution) => void;
  held: () => HeldClaim[];
  /** Whether an execution is held, or was called under this claim and what came of that could not be recorded. */
  holds: (claim: HeldClaim) => boolean;
  /** Whether a claim's call is under way or to come: what is over is only being recorded, which nothing need end. */
  isCalling: (claim: HeldClaim) => boolean;
  /** Ends a call from our side, or the wait for it; the reason decides what becomes of the execution. */
  end: (executionId: string, reason: EndReason) => void;
  /** Moves the end of a claim's lease to an instant of the monotonic clock. */
  extendLease: (claim: HeldClaim, deadlineMs: number) => void;
  /**
   * Ends the calls whose leases are over, and gives back what waits for a place under such a lease. Answers in how many
   * milliseconds to look again.
   */
  endOverdue: () => number;
  /** Gives back all that waits for a place: for a stop. */
  giveBackWaiting: () => void;
  /**
   * Gives back what has waited for a place for too long, and will go on waiting by what its line did since the last look: to
   * be called once a second or so.
   */
  giveBackStuck: () => void;
  /** Whether any call waits for a place at a host that answers: it has one soon, unless something takes its time. */
  isPressed: () => boolean;
  /** Whether a call is under way that has just begun: its outcome may come together with those at hand. */
  areOutcomesNear: () => boolean;
  /** Resolves when nothing is held any more. */
  drained: () => Promise<void>;
}

/** No call begins with less of its lease left than this, or than a quarter of the lease; so often is looked for leases that end. */
const LEAST_LEFT_MS = 1_000;
const LEAST_LEFT_SHARE = 1 / 4;

/** What is to be called apart from who holds it: that holds it until its outcome is recorded, which needs none of this. */
interface Waiting {
  entry: Held;
  execution: ClaimedExecution;
}

export function createCalls(options: CallsOptions): Calls {
  const { clock, leaseMs, onRoom, onBacklogRoom } = options;
  const { monotonicMs = () => performance.now() } = options;
  const leastLeftMs = Math.min(LEAST_LEFT_MS, leaseMs * LEAST_LEFT_SHARE);
  const held = new HeldClaims();
  const limiter = createHostLimiter<Waiting>(options, monotonicMs);
  const claimRoom = createClaimRoom({ ...options, limiter, held, monotonicMs });
  const { call, letGo, areOutcomesNear } = createCallRunner({
    ...options,
    held,
    freePlace(host, callMs) {
      limiter.free(host, callMs);
      return limiter.taken();
    },
    passPlaceOn,
    onInstanceFault: claimRoom.noteFault,
    onBacklogRecorded() {
      if (claimRoom.backlogRoom() > 0) onBacklogRoom();
    },
    monotonicMs,
  });

  function add(execution: ClaimedExecution): void {
    // A claim that comes after a later one was lost long since.
    if ((held.get(execution.id)?.claim.claimSeq ?? 0) >= execution.claimSeq) return;
    // A claim that was lost and has come back to us: its earlier call would go on beside the new one, kept by nobody.
    end(execution.id, 'leaseLost');
    // The database counts from when the statement came, which is later than the instant that the claim bears.
    const deadlineMs = monotonicMs() + execution.attemptStartedAt.getTime() + leaseMs - clock.now().getTime();
    const entry = heldOf(execution, deadlineMs);
    held.add(entry);
    if (isNearlyOver(entry)) letGo([entry], 'leaseOver');
    else if (limiter.take(execution.host)) call(entry, execution);
    else limiter.wait(execution.host, { entry, execution });
  }

  function isNearlyOver({ deadlineMs }: Held): boolean {
    return deadlineMs - monotonicMs() < leastLeftMs;
  }

  function passPlaceOn(host: string): void {
    for (let next = limiter.next(host); next; next = limiter.next(host)) {
      if (!isNearlyOver(next.entry)) {
        call(next.entry, next.execution);
        break;
      }
      limiter.free(next.entry.claim.host, null);
      letGo([next.entry], 'leaseOver');
    }
    if (limiter.hasRoomAt(host)) onRoom();
  }

  function end(executionId: string, reason: EndReason): void {
    const entry = held.get(executionId);
    if (!entry) return;
    if (entry.done === null) {
      limiter.remove(entry.claim.host, (waiting) => waiting.entry === entry);
      letGo([entry], reason);
    } else {
      entry.signal.stop(reason);
    }
  }

  return {
    ...questionsTo(held),
    ...givingBack(limiter, letGo),
    add,
    end,
    endOverdue: () => endOverdue(held, { nowMs: monotonicMs(), restMs: leastLeftMs }, end),
    isPressed: limiter.isMoving,
    areOutcomesNear,
    room: claimRoom.room,
    pauseMs: claimRoom.pauseMs,
    backlogRoom: claimRoom.backlogRoom,
  };
}

/** @param restMs when to look again at the latest */
function endOverdue(
  held: HeldClaims,
  { nowMs, restMs }: { nowMs: number; restMs: number },
  end: Calls['end'],
): number {
  let nextMs = nowMs + restMs;
  for (const { claim, deadlineMs, isCallOver } of held.all()) {
    if (isCallOver) continue;
    if (deadlineMs > nowMs) nextMs = Math.min(nextMs, deadlineMs);
    else end(claim.id, 'leaseOver');
  }
  return nextMs - nowMs;
}

function questionsTo(
  claims: HeldClaims,
): Pick<Calls, 'held' | 'holds' | 'isCalling' | 'extendLease' | 'drained'> {
  return {
    held: () => claims.all().map(({ claim: { id, claimSeq } }) => ({ executionId: id, claimSeq })),
    holds: (claim) => claims.holds(claim),
    isCalling: (claim) => claims.entryOf(claim)?.isCallOver === false,
    extendLease(claim, deadlineMs) {
      const entry = claims.entryOf(claim);
      if (entry) entry.deadlineMs = deadlineMs;
    },
    drained: () => claims.drained(),
  };
}

function givingBack(
  limiter: Pick<HostLimiter<Waiting>, 'removeAll' | 'removeStuck'>,
  letGo: CallRunner['letGo'],
): Pick<Calls, 'giveBackWaiting' | 'giveBackStuck'> {
  return {
    giveBackWaiting() {
      letGo(limiter.removeAll().map(entryOf), 'shutdown');
    },
    giveBackStuck() {
      for (const [host, stuck] of limiter.removeStuck()) {
        logger.warn('Executions that wait for a place at a host are given back', {
          host,
          count: stuck.length,
        });
        letGo(stuck.map(entryOf), 'noPlace');
      }
    },
  };
}

const entryOf = ({ entry }: Waiting): Held => entry;
