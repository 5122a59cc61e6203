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
  /** A place has become free at a host with few waiting executions. */
  onRoom: () => void;
  /** A good part of the held backlog is recorded. */
  onBacklogRoom: () => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/**
 * The claimed executions of this instance, from the claim to the record of the outcome. A call needs a place only
 * while it is in flight. Executions that are claimed ahead wait here for a place. So a free place is used at once,
 * and one statement can claim many executions.
 */
export interface Calls extends Pick<ClaimRoom, 'room' | 'pauseMs' | 'backlogRoom'> {
  add: (execution: ClaimedExecution) => void;
  held: () => HeldClaim[];
  /** Whether this instance holds an execution, or has called it under this claim without a recorded outcome. */
  holds: (claim: HeldClaim) => boolean;
  /**
   * Whether a claim's call is in flight or still to come. After the call only the record is left, and nobody needs to
   * end that.
   */
  isCalling: (claim: HeldClaim) => boolean;
  /** Ends a call or the wait for it. The reason decides what the execution becomes. */
  end: (executionId: string, reason: EndReason) => void;
  /** Moves the end of a claim's lease to an instant of the monotonic clock. */
  extendLease: (claim: HeldClaim, deadlineMs: number) => void;
  /**
   * Ends calls whose leases are over, and gives back waiting executions with such a lease. Returns in how many
   * milliseconds to look again.
   */
  endOverdue: () => number;
  /** Gives back all executions that wait for a place, before a stop. */
  giveBackWaiting: () => void;
  /**
   * Gives back executions that have waited too long for a place, and whose line is too slow since the last look. Call
   * it about once a second.
   */
  giveBackStuck: () => void;
  /** Whether any call waits for a place at a host that answers. It should get one soon. */
  isPressed: () => boolean;
  /** Whether any call is in flight. Its outcome may come soon. */
  isInFlight: () => boolean;
  /** Resolves when this instance holds no execution. */
  drained: () => Promise<void>;
}

/**
 * No call begins when less of its lease is left than the smaller of these two. This is also the time between two
 * looks for ending leases.
 */
const LEAST_LEFT_MS = 1_000;
const LEAST_LEFT_SHARE = 1 / 4;

/**
 * An execution that waits for a place. Its request stands apart from the entry, because the record of the outcome
 * does not need it.
 */
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
  const { call, letGo } = createCallRunner({
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
    // An older claim that arrives after a newer one is lost.
    if ((held.get(execution.id)?.claim.claimSeq ?? 0) >= execution.claimSeq) return;
    // This instance lost a claim and has it again. Its earlier call must not continue beside the new one.
    end(execution.id, 'leaseLost');
    // The lease in the database ends a little later: it counts from the arrival of the statement.
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
    isInFlight: () => limiter.taken() > 0,
    room: claimRoom.room,
    pauseMs: claimRoom.pauseMs,
    backlogRoom: claimRoom.backlogRoom,
  };
}

/** @param restMs the longest time until the next look */
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
