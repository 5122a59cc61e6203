import {
  backlogPlaces,
  openPlaces,
  type FreePlaces,
  type PlaceLimits,
} from '../../domain/execution/places.ts';
import type { HeldClaims } from './held-claims.ts';
import type { HostLimiter } from './host-limiter.ts';
import type { Settler } from './settler.ts';

/** How much may be claimed: as the limiter has places, unless nothing at all may be claimed for a while. */
export interface ClaimRoom {
  /** What may be claimed; the load of a host leaves out what may be claimed ahead of a place there. */
  room: () => FreePlaces;
  /** How many executions more may be claimed that make up for missed slots; 0 until there is room for a good many. */
  backlogRoom: () => number;
  /** For how long nothing may be claimed at all; 0 as a rule. */
  pauseMs: () => number;
  /** This instance had no descriptors, memory or ports for a call: it claims nothing for a second. */
  noteFault: () => void;
}

/** More of a backlog is claimed when it holds no more than this share of its places. */
const BACKLOG_REFILL = 3 / 4;
/** After a call for which this instance had no descriptors, memory or ports: those of others may end meanwhile. */
const FAULT_PAUSE_MS = 1_000;
/** Between two looks whether outcomes that wait to be recorded have become fewer. */
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
      // Reserved places are for others, and claims are made for many executions together.
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
