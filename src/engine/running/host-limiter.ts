import {
  openPlaces,
  placesPerHost,
  type FreePlaces,
  type PlaceLimits,
} from '../../domain/execution/places.ts';

/**
 * Shares the places for calls among hosts: how many are taken at which host, who waits there for one, and how many may be
 * claimed ahead of a place. A place that becomes free goes to whoever waits at the same host, or else anywhere.
 */
export interface HostLimiter<Waiting> {
  /** Places that are taken, at all hosts. */
  taken: () => number;
  /** Whether there are places left that are not kept for hosts at which nothing is under way. */
  hasOpenPlaces: () => boolean;
  /** Takes a place at a host; false where there is none. */
  take: (host: string) => boolean;
  /** Gives a place back, which a call had for so long; null where it was used for none. */
  free: (host: string, callMs: number | null) => void;
  wait: (host: string, who: Waiting) => void;
  /**
   * Who has, from now on, a place that was given back at a host: at that host, or at another. Nobody where none of those who
   * wait may have it, or a newcomer has taken it since.
   */
  next: (host: string) => Waiting | undefined;
  /** What may be claimed; the load of a host leaves out what may be claimed ahead of a place there. */
  room: () => FreePlaces;
  /** How many may be claimed ahead of a place, at all hosts. */
  roomAhead: () => number;
  /** Whether a claim for a host is worth its while: most of what was claimed ahead has had its place. */
  hasRoomAt: (host: string) => boolean;
  /** Whether somebody waits at a host that answers at this moment. */
  isMoving: () => boolean;
  /** Takes out of a host's line whom `isLeaving` names. */
  remove: (host: string, isLeaving: (who: Waiting) => boolean) => Waiting[];
  /** Takes everybody out of their lines. */
  removeAll: () => Waiting[];
  /**
   * Takes out of each host's line who has waited for too long, and would go on waiting by what the line did since the last
   * look: to be called once a second or so. Nothing is claimed ahead for such a host until it answers again. Hosts at which
   * that is nobody are left out.
   */
  removeStuck: () => Map<string, Waiting[]>;
}

/** What is claimed ahead of a place waits about as long: time enough for one more claim, and little to be late by. */
const AHEAD_MS = 100;
/** What may wait for a place at most, however fast calls end. */
const MAX_AHEAD = 500;
/** Calls that are shorter are not known to be: the clock, and the event loop, are no finer. */
const SHORTEST_MS = 1;
/** Of jobs that are due every second, each time finds how fast the host was the time before. */
const REMEMBERED_MS = 2_000;
/** How much the latest call weighs in the average of a host. */
const LATEST_SHARE = 1 / 8;

/** A call that takes longer says nothing of how soon places become free. Who has waited for longer is stuck, perhaps. */
const LONG_MS = 1_000;
/** A line is expected to move on by so many times what it did since the last look. */
const REACH = 2;

interface InLine<Waiting> {
  who: Waiting;
  sinceMs: number;
  /** They had waited for long already at the last look. */
  isLong: boolean;
}

interface Line<Waiting> {
  taken: number;
  waiting: InLine<Waiting>[];
  /** Of those who waited, how many have had a place since the last look. */
  moved: number;
  /** How long calls take that are not long, and when the last one ended; null where that is not known. */
  pace: { averageMs: number; endedAtMs: number } | null;
}

export function createHostLimiter<Waiting>(
  limits: PlaceLimits,
  monotonicMs: () => number,
): HostLimiter<Waiting> {
  const { maxConcurrency, maxConcurrencyPerHost } = limits;
  const lines = new Map<string, Line<Waiting>>();
  let taken = 0;
  let waiting = 0;

  function lineOf(host: string): Line<Waiting> {
    const line = lines.get(host) ?? { taken: 0, waiting: [], moved: 0, pace: null };
    lines.set(host, line);
    return line;
  }

  function hasAnsweredWithin({ pace }: Line<Waiting>, ms: number): boolean {
    return pace !== null && monotonicMs() - pace.endedAtMs < ms;
  }

  function forgetIdle(): void {
    for (const [host, line] of lines) {
      const isIdle = line.taken === 0 && line.waiting.length === 0;
      if (isIdle && !hasAnsweredWithin(line, REMEMBERED_MS)) lines.delete(host);
    }
  }

  const hasOpenPlaces = (): boolean => taken < openPlaces(maxConcurrency);

  const hasPlace = (line: Line<Waiting>): boolean =>
    taken < maxConcurrency && line.taken < placesPerHost(limits, taken);

  const mayMove = (line: Line<Waiting>): boolean => line.waiting.length > 0 && hasPlace(line);

  /** As many as have had a place within {@link AHEAD_MS}, if calls take as long as they did. */
  function ahead(line: Line<Waiting>): number {
    if (line.pace === null || !hasAnsweredWithin(line, REMEMBERED_MS)) return 0;
    const places = hasOpenPlaces() ? Math.min(maxConcurrencyPerHost, openPlaces(maxConcurrency)) : 1;
    return Math.min(Math.floor((places * AHEAD_MS) / line.pace.averageMs), MAX_AHEAD);
  }

  function roomAhead(): number {
    let allowed = 0;
    for (const line of lines.values()) allowed += ahead(line);
    return Math.max(Math.min(allowed, MAX_AHEAD) - waiting, 0);
  }

  function occupy(line: Line<Waiting>): void {
    line.taken += 1;
    taken += 1;
  }

  function notePace(line: Line<Waiting>, callMs: number): void {
    if (callMs >= LONG_MS) return;
    const lastMs = Math.max(callMs, SHORTEST_MS);
    const beforeMs = line.pace?.averageMs ?? lastMs;
    line.pace = {
      averageMs: beforeMs + (lastMs - beforeMs) * LATEST_SHARE,
      endedAtMs: monotonicMs(),
    };
  }

  function moveOn(line: Line<Waiting>): Waiting | undefined {
    const next = line.waiting.shift();
    if (!next) return undefined;
    waiting -= 1;
    line.moved += 1;
    occupy(line);
    return next.who;
  }

  function lineToMove(host: string): Line<Waiting> | undefined {
    const line = lines.get(host);
    if (line && mayMove(line)) return line;
    if (waiting === 0) return undefined;
    for (const other of lines.values()) if (mayMove(other)) return other;
    return undefined;
  }

  function remove(
    line: Line<Waiting>,
    isLeaving: (inLine: InLine<Waiting>, place: number) => boolean,
  ): Waiting[] {
    const leaving = line.waiting.filter(isLeaving);
    if (leaving.length === 0) return [];
    const left = new Set(leaving);
    line.waiting = line.waiting.filter((inLine) => !left.has(inLine));
    waiting -= leaving.length;
    return leaving.map(({ who }) => who);
  }

  function removeStuckFrom(line: Line<Waiting>): Waiting[] {
    const { moved } = line;
    const stuck = remove(line, ({ isLong }, place) => isLong && place >= REACH * moved);
    if (stuck.length > 0) line.pace = null;
    line.moved = 0;
    // Not at once: after a standstill of this process, answers that make places free may be about to be read.
    const longSinceMs = monotonicMs() - LONG_MS;
    for (const inLine of line.waiting) inLine.isLong = inLine.sinceMs <= longSinceMs;
    return stuck;
  }

  return {
    taken: () => taken,
    hasOpenPlaces,
    take(host) {
      const line = lineOf(host);
      const isFree = hasPlace(line);
      if (isFree) occupy(line);
      return isFree;
    },
    free(host, callMs) {
      const line = lineOf(host);
      line.taken -= 1;
      taken -= 1;
      if (callMs !== null) notePace(line, callMs);
    },
    wait(host, who) {
      lineOf(host).waiting.push({ who, sinceMs: monotonicMs(), isLong: false });
      waiting += 1;
    },
    next(host) {
      const line = lineToMove(host);
      return line && moveOn(line);
    },
    room() {
      forgetIdle();
      const isOpen = hasOpenPlaces();
      return {
        executions: (isOpen ? openPlaces(maxConcurrency) : maxConcurrency) - taken + roomAhead(),
        // A reserved place is for hosts that have nothing under way.
        perHost: isOpen ? maxConcurrencyPerHost : 1,
        load: new Map(
          [...lines].map(([host, line]) => [host, line.taken + line.waiting.length - ahead(line)] as const),
        ),
      };
    },
    roomAhead,
    hasRoomAt(host) {
      const line = lineOf(host);
      return (hasOpenPlaces() || line.taken === 0) && line.waiting.length <= ahead(line) / 2;
    },
    isMoving() {
      if (waiting === 0) return false;
      for (const line of lines.values())
        if (line.waiting.length > 0 && hasAnsweredWithin(line, AHEAD_MS)) return true;
      return false;
    },
    remove: (host, isLeaving) => remove(lineOf(host), ({ who }) => isLeaving(who)),
    removeAll: () => [...lines.values()].flatMap((line) => remove(line, () => true)),
    removeStuck: () =>
      new Map(
        [...lines]
          .map(([host, line]) => [host, removeStuckFrom(line)] as const)
          .filter(([, stuck]) => stuck.length > 0),
      ),
  };
}
