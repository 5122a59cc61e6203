import type { Pool } from 'pg';
import type { Clock } from '../../domain/values/clock.ts';
import { fullHosts, nextAvailableAt, type ClaimKind } from '../../store/executions/claiming.ts';
import { givePlaces, keepPlaces, type FreePlaces } from '../../domain/execution/places.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import type { ClaimRoom } from './claim-room.ts';
import { createCalls, type Calls, type CallsOptions } from './calls.ts';
import { createClaimer, NOTHING, type Claimer } from './claimer.ts';
import { createDeepLook } from './deep-look.ts';
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

/**
 * Claims due executions as capacity allows, and runs them. It claims executions for missed slots only when no others
 * are due.
 */
export interface Worker extends Loop, Omit<Calls, 'add' | keyof ClaimRoom> {
  /**
   * Which future executions, given by their hosts, could be called at once. None while due executions wait for a
   * place, and none after a stop.
   */
  placesFor: (hosts: readonly string[]) => boolean[];
  /** Reserves places for future executions, given by their hosts. This replaces the earlier reservation. */
  keepPlaces: (hosts: readonly string[]) => void;
  /** Runs executions that planning has claimed for this instance. */
  take: (executions: readonly ClaimedExecution[]) => void;
}

/** The wait when due executions cannot be claimed. Usually another instance has locked them to claim them. */
const LOCKED_RETRY_MS = 20;

export function createWorker(options: WorkerOptions): Worker {
  const { pool, clock, longestRestMs, onClaimed, onError } = options;
  const { monotonicMs = () => performance.now() } = options;
  const deepLook = createDeepLook(monotonicMs);
  /** Whether the last claims left due executions because there was no place. */
  const isMoreDue: Record<ClaimKind, boolean> = { fresh: false, backlog: false };
  let isStopped = false;
  /** The hosts of future executions with a reserved place. */
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
  const { add, room: placesLeft, pauseMs: pausedForMs, backlogRoom, ...asked } = calls;
  const claim = createClaimer({ ...options, room, backlogRoom, take, monotonicMs });

  function room(): FreePlaces {
    return keepPlaces(placesLeft(), kept);
  }

  async function step(): Promise<number> {
    isMoreDue.fresh = isMoreDue.backlog = true;
    const pauseMs = pausedForMs();
    if (pauseMs > 0) return pauseMs;
    // The first call that ends wakes the loop.
    if (room().executions <= 0) return longestRestMs;
    const now = clock.now();
    const { claimed, limit } = await claim('fresh', now);
    if (claimed === limit) return room().executions > 0 ? 0 : longestRestMs;
    if (isAnyHostFull(room())) return lookPastFullHosts(now);
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

  /** How long to wait for the next execution of a kind, when the claim left room. */
  function restUntil(availableAt: Date | null, now: Date, claimed: number): number {
    if (availableAt === null) return longestRestMs;
    if (availableAt <= now) return claimed > 0 ? 0 : LOCKED_RETRY_MS;
    return Math.min(availableAt.getTime() - clock.now().getTime(), longestRestMs);
  }

  /** All executions at the head of the queue may be for hosts that hang. Due executions behind them must not wait. */
  async function lookPastFullHosts(now: Date): Promise<number> {
    const restMs = deepLook.restMs() || (await deepLook.make(() => claimDeep(claim, now)));
    return Math.min(restMs, longestRestMs);
  }

  function take(executions: readonly ClaimedExecution[]): void {
    for (const execution of executions) add(execution);
    if (executions.length > 0) onClaimed();
  }

  const loop = createLoop({ name: 'worker', step, onError });
  return extendLoop(loop, {
    wake() {
      deepLook.noteNews();
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
    ...asked,
  });
}

function isAnyHostFull({ load, perHost }: FreePlaces): boolean {
  return fullHosts({ busyHosts: load, hostLimit: perHost }).length > 0;
}

/** Claims executions behind those of full hosts. Returns how many. */
async function claimDeep(claim: Claimer, now: Date): Promise<number> {
  const fresh = await claim('fresh', now, { isDeep: true });
  const backlog = fresh.claimed < fresh.limit ? await claim('backlog', now, { isDeep: true }) : NOTHING;
  return fresh.claimed + backlog.claimed;
}
