import { openPlaces, placesPerHost, type PlaceLimits } from '../../domain/execution/places.ts';

/**
 * The places for calls: how many are taken at which host, and who waits there for one. A place that becomes free goes to
 * whoever waits at the same host, or else anywhere.
 */
export interface HostQueues<Waiting> {
  /** Places that are taken, at all hosts. */
  taken: () => number;
  /** How many wait, at all hosts. */
  waiting: () => number;
  takenAt: (host: string) => number;
  waitingAt: (host: string) => number;
  /** Whether somebody waits at such a host. */
  isWaitedForAt: (isSuch: (host: string) => boolean) => boolean;
  /** How many are at each host, with a place or without. */
  loads: () => Map<string, number>;
  /** Whether there are places left that are not kept for hosts at which nothing is under way. */
  hasOpenPlaces: () => boolean;
  /** Takes a place at a host; false where there is none. */
  take: (host: string) => boolean;
  /** Gives a place back. */
  free: (host: string) => void;
  wait: (host: string, who: Waiting) => void;
  /**
   * Who has, from now on, a place that was given back at a host: at that host, or at another. Nobody where none of those who
   * wait may have it, or a newcomer has taken it since.
   */
  next: (host: string) => Waiting | undefined;
  /** Takes out of a host's line whom `isLeaving` names. */
  remove: (host: string, isLeaving: (who: Waiting) => boolean) => Waiting[];
  /** Takes everybody out of their lines. */
  removeAll: () => Waiting[];
  /**
   * Takes out of each host's line who has waited for too long, and would go on waiting by what the line did since the last
   * look: to be called once a second or so. Hosts at which that is nobody are left out.
   */
  removeStuck: () => Map<string, Waiting[]>;
}

/** Who has waited for longer is stuck where the line does not move: its host has begun to hang. */
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
}

export function createHostQueues<Waiting>(
  limits: PlaceLimits,
  monotonicMs: () => number,
): HostQueues<Waiting> {
  const lines = new Map<string, Line<Waiting>>();
  let taken = 0;
  let waiting = 0;

  function lineOf(host: string): Line<Waiting> {
    const line = lines.get(host) ?? { taken: 0, waiting: [], moved: 0 };
    lines.set(host, line);
    return line;
  }

  function forgetIdle(host: string, line: Line<Waiting>): void {
    if (line.taken === 0 && line.waiting.length === 0) lines.delete(host);
  }

  const hasPlace = (line: Line<Waiting>): boolean =>
    taken < limits.maxConcurrency && line.taken < placesPerHost(limits, taken);

  const mayMove = (line: Line<Waiting>): boolean => line.waiting.length > 0 && hasPlace(line);

  function occupy(line: Line<Waiting>): void {
    line.taken += 1;
    taken += 1;
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
    host: string,
    line: Line<Waiting>,
    isLeaving: (inLine: InLine<Waiting>, place: number) => boolean,
  ): Waiting[] {
    const [leaving, staying]: [Waiting[], InLine<Waiting>[]] = [[], []];
    for (const [place, inLine] of line.waiting.entries()) {
      if (isLeaving(inLine, place)) leaving.push(inLine.who);
      else staying.push(inLine);
    }
    line.waiting = staying;
    waiting -= leaving.length;
    forgetIdle(host, line);
    return leaving;
  }

  function removeStuckFrom(host: string, line: Line<Waiting>): Waiting[] {
    const { moved } = line;
    const stuck = remove(host, line, ({ isLong }, place) => isLong && place >= REACH * moved);
    line.moved = 0;
    // Not at once: after a standstill of this process, answers that make places free may be about to be read.
    const longSinceMs = monotonicMs() - LONG_MS;
    for (const inLine of line.waiting) inLine.isLong = inLine.sinceMs <= longSinceMs;
    return stuck;
  }

  return {
    taken: () => taken,
    waiting: () => waiting,
    takenAt: (host) => lines.get(host)?.taken ?? 0,
    waitingAt: (host) => lines.get(host)?.waiting.length ?? 0,
    isWaitedForAt(isSuch) {
      if (waiting === 0) return false;
      for (const [host, line] of lines) if (line.waiting.length > 0 && isSuch(host)) return true;
      return false;
    },
    loads: () => new Map([...lines].map(([host, line]) => [host, line.taken + line.waiting.length])),
    hasOpenPlaces: () => taken < openPlaces(limits.maxConcurrency),
    take(host) {
      const line = lineOf(host);
      const isFree = hasPlace(line);
      if (isFree) occupy(line);
      forgetIdle(host, line);
      return isFree;
    },
    free(host) {
      const line = lineOf(host);
      line.taken -= 1;
      taken -= 1;
      forgetIdle(host, line);
    },
    wait(host, who) {
      lineOf(host).waiting.push({ who, sinceMs: monotonicMs(), isLong: false });
      waiting += 1;
    },
    next(host) {
      const line = lineToMove(host);
      return line && moveOn(line);
    },
    remove: (host, isLeaving) => remove(host, lineOf(host), ({ who }) => isLeaving(who)),
    removeAll: () => [...lines].flatMap(([host, line]) => remove(host, line, () => true)),
    removeStuck: () =>
      new Map(
        [...lines]
          .map(([host, line]) => [host, removeStuckFrom(host, line)] as const)
          .filter(([, stuck]) => stuck.length > 0),
      ),
  };
}
