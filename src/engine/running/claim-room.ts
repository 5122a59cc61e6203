import {
  backlogPlaces,
  openPlaces,
  type FreePlaces,
  type PlaceLimits,
} from '../../domain/execution/places.ts';
import type { HeldClaims } from './held-claims.ts';
import type { HostLimiter } from './host-limiter.ts';
import type { Settler } from './settler.ts';

/** How many executions may be claimed: as many as the limiter allows, except during a pause. */
export interface ClaimRoom {
  /** The room for claims. The load of a host does not count the executions that may be claimed ahead there. */
  room: () => FreePlaces;
  /** How many more executions for missed slots may be claimed; 0 until there is room for many. */
  backlogRoom: () => number;
  /** For how long this instance must not claim; usually 0. */
  pauseMs: () => number;
  /** Says that this instance lacked descriptors, memory or ports for a call. It claims nothing for a second. */
  noteFault: () => void;
}

/** The instance claims more backlog when it uses at most this share of the backlog's places. */
const BACKLOG_REFILL = 3 / 4;
/** The pause after this instance lacked descriptors, memory or ports. Other calls may end in it and free them. */
const FAULT_PAUSE_MS = 1_000;
/** The time between two looks whether fewer outcomes wait for their record. */
const FULL_PAUSE_MS = 250;

interface ClaimRoomOptions extends PlaceLimits {
  settler: Pick<Settler, 'isFull'>;
  limiter: Pick<HostLimiter<unknown>, 'taken' | 'room' | 'roomAhead'>;
  held: Pick<HeldClaims, 'backlog'>;
  monotonicMs: () => number;
}

export function createClaimRoom(options: ClaimRoomOptions): ClaimRoom {
  const { settler, limiter, held, maxConcurrency, monotonicMs } = options;
  let pausedUntilMs = -Infinity;

  function pauseMs(): number {
    return Math.max(settler.isFull() ? FULL_PAUSE_MS : 0, pausedUntilMs - monotonicMs(), 0);
  }

  return {
    room() {
      const room = limiter.room();
      return pauseMs() > 0 ? { ...room, executions: 0 } : room;
    },
    backlogRoom() {
      if (pauseMs() > 0) return 0;
      const places = backlogPlaces(maxConcurrency);
      // Reserved places are for other executions. One claim takes many executions together.
      if (held.backlog > places * BACKLOG_REFILL) return 0;
      return Math.min(
        places - held.backlog,
        Math.max(openPlaces(maxConcurrency) - limiter.taken(), 0) + limiter.roomAhead(),
      );
    },
    pauseMs,
    noteFault() {
      pausedUntilMs = monotonicMs() + FAULT_PAUSE_MS;
    },
  };
}
