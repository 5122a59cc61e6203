import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import {
  claimDue,
  fullHosts,
  MAX_CLAIM,
  nextAvailableAt,
  type ClaimKind,
} from '../../store/executions/claiming.ts';
import { givePlaces, keepPlaces, type FreePlaces } from '../../domain/execution/places.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import { createCalls, type Calls, type CallsOptions } from './calls.ts';
import type { LostClaims } from './lost-claims.ts';
import { createLoop, extendLoop, type Loop } from '../../async/loop.ts';

export interface WorkerOptions extends Omit<CallsOptions, 'onRoom' | 'onBacklogRoom'> {
  pool: Pool;
  clock: Clock;
  instanceId: string;
  lostClaims: Pick<LostClaims, 'watch'>;
  longestRestMs: number;
  onClaimed: () => void;
}

/** Claims due executions as capacity allows, and runs them: what makes up for missed slots only where all else is. */
export interface Worker
  extends
    Loop,
    Pick<
      Calls,
      | 'held'
      | 'holds'
      | 'isCalling'
      | 'isPressed'
      | 'areOutcomesNear'
      | 'end'
      | 'extendLease'
      | 'endOverdue'
      | 'giveBackWaiting'
      | 'giveBackStuck'
      | 'drained'
    > {
  /**
   * Which of so many executions to come, named by their hosts, could be called at once: none while others that are due
   * wait for a place, and none once it is stopped.
   */
  placesFor: (hosts: readonly string[]) => boolean[];
  /** Keeps places for executions to come, named by their hosts, in place of those that were kept before. */
  keepPlaces: (hosts: readonly string[]) => void;
  /** Runs executions that were claimed for this instance as they were made. */
  take: (executions: readonly ClaimedExecution[]) => void;
}

/** What is due and could not be claimed is locked by somebody: most often another instance that is claiming it. */
const LOCKED_RETRY_MS = 20;

/** Between two looks past the executions of hosts that have no place left. */
const MIN_DEEP_LOOK_MS = 100;
const MAX_DEEP_LOOK_MS = 1_000;
/** Such a look takes the longer the more of them wait; it may take up a third of the time. */
const DEEP_LOOK_RESTS = 2;

/** So long claims look further after one that has found less than was wanted: longer than any pause between deep looks. */
const WIDE_LOOK_MS = 5 * MAX_DEEP_LOOK_MS;

interface Claim {
  claimed: number;
  /** As many as there was room for. */
  limit: number;
}
const NOTHING: Claim = { claimed: 0, limit: 0 };

export function createWorker(options: WorkerOptions): Worker {
  const { pool, clock, instanceId, leaseMs, lostClaims, longestRestMs, onClaimed, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  /** The next deep look, and when it may be made at the earliest, should there be something new. */
  const deepLook = { nextMs: 0, soonestMs: 0, intervalMs: MIN_DEEP_LOOK_MS };
  /** Whether the last claims have left anything behind for want of a place. */
  const isMoreDue: Record<ClaimKind, boolean> = { fresh: false, backlog: false };
  /** Until then claims look past the head of the queue: some of it was locked, or of full hosts. */
  const wideUntilMs: Record<ClaimKind, number> = { fresh: 0, backlog: 0 };
  let isStopped = false;
  /** The hosts of executions to come, for which places are kept. */
  let kept: readonly string[] = [];
  const calls = createCalls({
    ...options,
    onRoom() {
      if (isMoreDue.fresh) loop.wake();
    },
    onBacklogRoom() {
      if (isMoreDue.backlog) loop.wake();
    },
  });

  function room(): FreePlaces {
    return keepPlaces(calls.room(), kept);
  }

  async function step(): Promise<number> {
    isMoreDue.fresh = isMoreDue.backlog = true;
    const pauseMs = calls.pauseMs();
    if (pauseMs > 0) return pauseMs;
    // Whatever ends first wakes the loop.
    if (room().executions <= 0) return longestRestMs;
    const now = clock.now();
    const { claimed, limit } = await claim('fresh', now);
    if (claimed === limit) return room().executions > 0 ? 0 : longestRestMs;
    if (hostsWithoutPlace().length > 0) return lookPastFullHosts(now);
    const next = await nextAvailableAt(pool);
    isMoreDue.fresh = false;
    isMoreDue.backlog = next.backlog !== null && next.backlog <= now;
    const backlog = isMoreDue.backlog ? await claim('backlog', now) : NOTHING;
    const isBacklogLeft = isMoreDue.backlog && backlog.claimed === backlog.limit;
    return Math.min(
      restUntil(next.fresh, now, claimed),
      isBacklogLeft ? longestRestMs : restUntil(next.backlog, now, backlog.claimed),
    );
  }

  /** How long to wait for the next execution of a kind of which there was room for more than could be claimed. */
  function restUntil(availableAt: Date | null, now: Date, claimed: number): number {
    if (availableAt === null) return longestRestMs;
    if (availableAt <= now) return claimed > 0 ? 0 : LOCKED_RETRY_MS;
    return Math.min(availableAt.getTime() - clock.now().getTime(), longestRestMs);
  }

  /**
   * The head of the queue may be nothing but executions for hosts that hang; what is due behind them must not wait.
   * Looking past many of them costs the database some milliseconds, so not with each step, and less often while nothing
   * is found behind them and nothing new is told.
   */
  async function lookPastFullHosts(now: Date): Promise<number> {
    const startsMs = monotonicMs();
    if (startsMs < deepLook.nextMs) return Math.min(deepLook.nextMs - startsMs, longestRestMs);
    const fresh = await claim('fresh', now, { isDeep: true });
    const backlog = fresh.claimed < fresh.limit ? await claim('backlog', now, { isDeep: true }) : NOTHING;
    const endsMs = monotonicMs();
    const restMs = Math.max(MIN_DEEP_LOOK_MS, DEEP_LOOK_RESTS * (endsMs - startsMs));
    const isInVain = fresh.claimed + backlog.claimed === 0;
    deepLook.intervalMs = Math.max(
      restMs,
      isInVain ? Math.min(2 * deepLook.intervalMs, MAX_DEEP_LOOK_MS) : 0,
    );
    deepLook.soonestMs = endsMs + restMs;
    deepLook.nextMs = endsMs + deepLook.intervalMs;
    return Math.min(deepLook.intervalMs, longestRestMs);
  }

  function hostsWithoutPlace(): string[] {
    const { load, perHost } = room();
    return fullHosts({ busyHosts: load, hostLimit: perHost });
  }

  async function claim(kind: ClaimKind, now: Date, { isDeep = false } = {}): Promise<Claim> {
    const { executions, perHost, load } = room();
    const limit = Math.min(kind === 'backlog' ? calls.backlogRoom() : executions, executions, MAX_CLAIM);
    if (limit <= 0) return NOTHING;
    const startsMs = monotonicMs();
    const look = isDeep ? 'deep' : startsMs < wideUntilMs[kind] ? 'wide' : 'head';
    const leaseExpiresAt = new Date(now.getTime() + leaseMs);
    const claimed = await lostClaims.watch(leaseExpiresAt, () =>
      claimDue(pool, {
        kind,
        instanceId,
        now,
        leaseExpiresAt,
        limit,
        busyHosts: load,
        hostLimit: perHost,
        look,
      }),
    );
    if (claimed.length < limit) wideUntilMs[kind] = startsMs + WIDE_LOOK_MS;
    take(claimed);
    return { claimed: claimed.length, limit };
  }

  function take(executions: readonly ClaimedExecution[]): void {
    for (const execution of executions) calls.add(execution);
    if (executions.length > 0) onClaimed();
  }

  const loop = createLoop({ name: 'worker', step, onError });
  return extendLoop(loop, {
    wake() {
      deepLook.nextMs = Math.min(deepLook.nextMs, deepLook.soonestMs);
      loop.wake();
    },
    start() {
      isStopped = false;
      loop.start();
    },
    stop() {
      isStopped = true;
      return loop.stop();
    },
    placesFor: (hosts) => (isStopped || isMoreDue.fresh ? hosts.map(() => false) : givePlaces(hosts, room())),
    keepPlaces(hosts) {
      kept = hosts;
      if (isMoreDue.fresh) loop.wake();
    },
    take,
    held: calls.held,
    holds: calls.holds,
    isCalling: calls.isCalling,
    isPressed: calls.isPressed,
    areOutcomesNear: calls.areOutcomesNear,
    end: calls.end,
    extendLease: calls.extendLease,
    endOverdue: calls.endOverdue,
    giveBackWaiting: calls.giveBackWaiting,
    giveBackStuck: calls.giveBackStuck,
    drained: calls.drained,
  });
}
