import { createLogger } from '../../logging/logger.ts';
import {
  backlogPlaces,
  openPlaces,
  type FreePlaces,
  type PlaceLimits,
} from '../../domain/execution/places.ts';
import type { UncalledReason } from '../../domain/execution/verdict.ts';
import { StopSignal } from '../../http/stop-signal.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import type { HeldClaim } from '../../store/executions/leases.ts';
import { logIds } from './log-ids.ts';
import { createRecentStarts } from './recent-starts.ts';
import { createJointStart } from './joint-start.ts';
import { createHostLimiter } from './host-limiter.ts';
import { recordUncalled, runExecution, type EndReason, type RunDeps } from './run-execution.ts';

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
export interface Calls {
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
  /** What may be claimed; the load of a host leaves out what may be claimed ahead of a place there. */
  room: () => FreePlaces;
  /** For how long nothing may be claimed at all; 0 as a rule. */
  pauseMs: () => number;
  /** How many executions more may be claimed that make up for missed slots; 0 until there is room for a good many. */
  backlogRoom: () => number;
}

/** More of a backlog is claimed when it holds no more than this share of its places. */
const BACKLOG_REFILL = 3 / 4;

/** Outcomes that cannot be recorded are rare: more than may fail together. */
const MAX_UNRECORDED = 10_000;

/** No call begins with less of its lease left than this, or than a quarter of the lease; so often is looked for leases that end. */
const LEAST_LEFT_MS = 1_000;
const LEAST_LEFT_SHARE = 1 / 4;

/** After a call for which this instance had no descriptors, memory or ports: those of others may end meanwhile. */
const FAULT_PAUSE_MS = 1_000;
/** Between two looks whether outcomes that wait to be recorded have become fewer. */
const FULL_PAUSE_MS = 250;

/** What is asked of an execution from its claim to its record. */
type Claim = Pick<ClaimedExecution, 'id' | 'jobId' | 'claimSeq' | 'attemptCount' | 'host' | 'trigger'>;

interface Held {
  claim: Claim;
  signal: StopSignal<EndReason>;
  /** The end of the lease by the monotonic clock: nothing is called behind it, whether or not the database can be reached. */
  deadlineMs: number;
  isCallOver: boolean;
  /** Null while it waits for a place. */
  done: Promise<void> | null;
}

/** What is to be called apart from who holds it: that holds it until its outcome is recorded, which needs none of this. */
interface Waiting {
  entry: Held;
  execution: ClaimedExecution;
}

export function createCalls(options: CallsOptions): Calls {
  const { maxConcurrency, clock, leaseMs, onRoom, onBacklogRoom, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  const held = new Map<string, Held>();
  /** The latest calls of which the outcome could not be recorded: their executions, with the number of the claim. */
  const unrecorded = new Map<string, number>();
  const limiter = createHostLimiter<Waiting>(options, monotonicMs);
  const jointStart = createJointStart();
  const leastLeftMs = Math.min(LEAST_LEFT_MS, leaseMs * LEAST_LEFT_SHARE);
  let pausedUntilMs = -Infinity;
  let backlog = 0;
  const recentStarts = createRecentStarts(monotonicMs);

  function add(execution: ClaimedExecution): void {
    // A claim that comes after a later one was lost long since.
    if ((held.get(execution.id)?.claim.claimSeq ?? 0) >= execution.claimSeq) return;
    // A claim that was lost and has come back to us: its earlier call would go on beside the new one, kept by nobody.
    end(execution.id, 'leaseLost');
    const entry: Held = {
      claim: claimOf(execution),
      signal: new StopSignal(),
      // The database counts from when the statement came, which is later than the instant that the claim bears.
      deadlineMs: monotonicMs() + execution.attemptStartedAt.getTime() + leaseMs - clock.now().getTime(),
      isCallOver: false,
      done: null,
    };
    held.set(execution.id, entry);
    if (isBacklog(execution)) backlog += 1;
    if (isNearlyOver(entry)) letGo([entry], 'leaseOver');
    else if (limiter.take(execution.host)) call(entry, execution);
    else limiter.wait(execution.host, { entry, execution });
  }

  function isNearlyOver({ deadlineMs }: Held): boolean {
    return deadlineMs - monotonicMs() < leastLeftMs;
  }

  /** Makes a call that has a place. */
  function call(entry: Held, execution: ClaimedExecution): void {
    const { host } = entry.claim;
    const startedMs = monotonicMs();
    const begun = recentStarts.begin();
    const noteEnd = () => {
      entry.isCallOver = true;
      recentStarts.end(begun);
      limiter.free(host, monotonicMs() - startedMs);
      jointStart.add(() => {
        passPlaceOn(host);
      }, limiter.taken());
    };
    const noteFault = () => {
      pausedUntilMs = monotonicMs() + FAULT_PAUSE_MS;
    };
    holdUntil(
      runExecution(execution, options, entry.signal, { onCallEnded: noteEnd, onInstanceFault: noteFault }),
      entry,
      'Attempt ended',
      noteUnrecorded,
    );
  }

  /** Holds an execution until what became of it is recorded, and logs that. */
  function holdUntil(
    recorded: ReturnType<typeof runExecution>,
    entry: Held,
    what: string,
    onUnrecorded: (claim: Claim) => void = () => undefined,
  ): void {
    const { claim } = entry;
    entry.done = recorded
      .then((status) => {
        const ids = logIds({ executionId: claim.id, jobId: claim.jobId });
        logger.info(
          what,
          Object.assign(ids, { attempt: claim.attemptCount, status: status ?? 'claim lost' }),
        );
      })
      .catch((error: unknown) => {
        onUnrecorded(claim);
        onError(error);
      })
      .finally(() => {
        // Only our own entry: after a lost lease the same execution may have been claimed again.
        if (held.get(claim.id) === entry) held.delete(claim.id);
        if (isBacklog(claim)) {
          backlog -= 1;
          if (backlogRoom() > 0) onBacklogRoom();
        }
      });
  }

  function noteUnrecorded({ id, claimSeq }: Claim): void {
    unrecorded.set(id, claimSeq);
    const [oldest] = unrecorded.keys();
    if (unrecorded.size > MAX_UNRECORDED && oldest !== undefined) unrecorded.delete(oldest);
  }

  function pauseMs(): number {
    return Math.max(options.settler.isFull() ? FULL_PAUSE_MS : 0, pausedUntilMs - monotonicMs(), 0);
  }

  function backlogRoom(): number {
    if (pauseMs() > 0) return 0;
    const places = backlogPlaces(maxConcurrency);
    // Reserved places are for others, and claims are made for many executions together.
    if (backlog > places * BACKLOG_REFILL) return 0;
    return Math.min(
      places - backlog,
      Math.max(openPlaces(maxConcurrency) - limiter.taken(), 0) + limiter.roomAhead(),
    );
  }

  function room(): FreePlaces {
    const room = limiter.room();
    return pauseMs() > 0 ? { ...room, executions: 0 } : room;
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

  function endOverdue(): number {
    const nowMs = monotonicMs();
    let nextMs = nowMs + leastLeftMs;
    for (const { claim, deadlineMs, isCallOver } of held.values()) {
      if (isCallOver) continue;
      if (deadlineMs > nowMs) nextMs = Math.min(nextMs, deadlineMs);
      else end(claim.id, 'leaseOver');
    }
    return nextMs - nowMs;
  }

  /** Records of some that have left their line that they have ended without a call. */
  function letGo(left: readonly Held[], reason: UncalledReason | 'leaseLost'): void {
    for (const entry of left) {
      entry.isCallOver = true;
      holdUntil(recordUncalled(entry.claim, options, reason), entry, 'Claim ended without a call');
    }
  }

  function giveBackStuck(): void {
    for (const [host, stuck] of limiter.removeStuck()) {
      logger.warn('Executions that wait for a place at a host are given back', { host, count: stuck.length });
      letGo(stuck.map(entryOf), 'noPlace');
    }
  }

  return {
    add,
    held: () => [...held.values()].map(({ claim: { id, claimSeq } }) => ({ executionId: id, claimSeq })),
    holds: ({ executionId, claimSeq }) => held.has(executionId) || unrecorded.get(executionId) === claimSeq,
    isCalling({ executionId, claimSeq }) {
      const entry = held.get(executionId);
      return entry?.claim.claimSeq === claimSeq && !entry.isCallOver;
    },
    end,
    extendLease({ executionId, claimSeq }, deadlineMs) {
      const entry = held.get(executionId);
      if (entry?.claim.claimSeq === claimSeq) entry.deadlineMs = deadlineMs;
    },
    endOverdue,
    giveBackWaiting() {
      letGo(limiter.removeAll().map(entryOf), 'shutdown');
    },
    giveBackStuck,
    isPressed: limiter.isMoving,
    areOutcomesNear: recentStarts.any,
    async drained() {
      // Who still waits for a place has one as soon as a call has ended.
      while (held.size > 0) await Promise.all([...held.values()].flatMap(({ done }) => done ?? []));
    },
    room,
    pauseMs,
    backlogRoom,
  };
}

const entryOf = ({ entry }: Waiting): Held => entry;

function claimOf({ id, jobId, claimSeq, attemptCount, host, trigger }: ClaimedExecution): Claim {
  return { id, jobId, claimSeq, attemptCount, host, trigger };
}

function isBacklog({ trigger }: Claim): boolean {
  return trigger === 'CATCH_UP';
}
