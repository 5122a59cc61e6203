import {
  openPlaces,
  placesPerHost,
  type FreePlaces,
  type PlaceLimits,
} from '../../domain/execution/places.ts';
import { HostLine } from './host-line.ts';

/**
 * Shares the places for calls among hosts. It knows how many places each host uses, which executions wait there, and
 * how many may be claimed ahead. A free place goes to an execution that waits for the same host, or else for any
 * host.
 */
export interface HostLimiter<Waiting> {
  /** How many places all hosts use. */
  taken: () => number;
  /** Whether free places are left beside those that are reserved for hosts without a call. */
  hasOpenPlaces: () => boolean;
  /** Takes a place at a host; false when there is none. */
  take: (host: string) => boolean;
  /** Frees a place. `callMs` is how long the call took; null when there was no call. */
  free: (host: string, callMs: number | null) => void;
  wait: (host: string, who: Waiting) => void;
  /**
   * Gives a freed place to a waiting execution, first of the same host, and returns it. Undefined when none of them
   * may have the place or another call has taken it.
   */
  next: (host: string) => Waiting | undefined;
  /** The room for claims. The load of a host does not count the executions that may be claimed ahead there. */
  room: () => FreePlaces;
  /** How many executions may be claimed ahead of a place, for all hosts. */
  roomAhead: () => number;
  /** Whether a claim for a host is useful: most of its executions that were claimed ahead have had a place. */
  hasRoomAt: (host: string) => boolean;
  /** Whether an execution waits at a host that answers now. */
  isMoving: () => boolean;
  /** Removes the executions that `isLeaving` names from a host's line. */
  remove: (host: string, isLeaving: (who: Waiting) => boolean) => Waiting[];
  /** Removes all executions from their lines. */
  removeAll: () => Waiting[];
  /**
   * Removes executions from each host's line that have waited too long, and for which the line is too slow since the
   * last look. Call it about once a second. Such a host gets no claims ahead until it answers again. The result
   * contains only hosts with removed executions.
   */
  removeStuck: () => Map<string, Waiting[]>;
}

/**
 * About how long an execution that is claimed ahead waits. This is enough for one more claim and causes little
 * lateness.
 */
const AHEAD_MS = 100;
/** How many may wait for a place at most, however fast calls end. */
const MAX_AHEAD = 500;
/** How long the speed of a host stays known. So jobs that are due every second find it from their last run. */
const REMEMBERED_MS = 2_000;

/** The lines of all hosts, and their sums. */
class HostLines<Waiting> {
  readonly #limits: PlaceLimits;
  readonly #monotonicMs: () => number;
  readonly #lines = new Map<string, HostLine<Waiting>>();
  taken = 0;
  waiting = 0;

  constructor(limits: PlaceLimits, monotonicMs: () => number) {
    this.#limits = limits;
    this.#monotonicMs = monotonicMs;
  }

  at(host: string): HostLine<Waiting> {
    const line = this.#lines.get(host) ?? new HostLine<Waiting>(this.#monotonicMs);
    this.#lines.set(host, line);
    return line;
  }

  all(): [string, HostLine<Waiting>][] {
    return [...this.#lines];
  }

  forgetIdle(): void {
    for (const [host, line] of this.#lines)
      if (line.isIdle && !line.hasAnsweredWithin(REMEMBERED_MS)) this.#lines.delete(host);
  }

  hasOpenPlaces(): boolean {
    return this.taken < openPlaces(this.#limits.maxConcurrency);
  }

  hasPlaceIn(line: HostLine<Waiting>): boolean {
    return this.taken < this.#limits.maxConcurrency && line.taken < placesPerHost(this.#limits, this.taken);
  }

  /** A line with an execution that may have a place: the host's own line, or else any. */
  toMove(host: string): HostLine<Waiting> | undefined {
    const line = this.#lines.get(host);
    if (line && this.#mayMove(line)) return line;
    if (this.waiting === 0) return undefined;
    for (const other of this.#lines.values()) if (this.#mayMove(other)) return other;
    return undefined;
  }

  #mayMove(line: HostLine<Waiting>): boolean {
    return line.waiting > 0 && this.hasPlaceIn(line);
  }

  /** How many may be claimed ahead for a line: as many as its calls can serve within {@link AHEAD_MS}. */
  aheadIn(line: HostLine<Waiting>): number {
    if (!line.hasAnsweredWithin(REMEMBERED_MS)) return 0;
    const { maxConcurrency, maxConcurrencyPerHost } = this.#limits;
    const places = this.hasOpenPlaces() ? Math.min(maxConcurrencyPerHost, openPlaces(maxConcurrency)) : 1;
    return Math.min(line.callsWithin(AHEAD_MS, places), MAX_AHEAD);
  }

  ahead(): number {
    let allowed = 0;
    for (const line of this.#lines.values()) allowed += this.aheadIn(line);
    return Math.max(Math.min(allowed, MAX_AHEAD) - this.waiting, 0);
  }

  /** Whether an execution waits at a host that answers now. */
  isMoving(): boolean {
    if (this.waiting === 0) return false;
    for (const line of this.#lines.values())
      if (line.waiting > 0 && line.hasAnsweredWithin(AHEAD_MS)) return true;
    return false;
  }
}

export function createHostLimiter<Waiting>(
  limits: PlaceLimits,
  monotonicMs: () => number,
): HostLimiter<Waiting> {
  const { maxConcurrency, maxConcurrencyPerHost } = limits;
  const lines = new HostLines<Waiting>(limits, monotonicMs);

  function leave(leaving: Waiting[]): Waiting[] {
    lines.waiting -= leaving.length;
    return leaving;
  }

  return {
    taken: () => lines.taken,
    hasOpenPlaces: () => lines.hasOpenPlaces(),
    take(host) {
      const line = lines.at(host);
      if (!lines.hasPlaceIn(line)) return false;
      line.occupy();
      lines.taken += 1;
      return true;
    },
    free(host, callMs) {
      lines.at(host).free(callMs);
      lines.taken -= 1;
    },
    wait(host, who) {
      lines.at(host).join(who);
      lines.waiting += 1;
    },
    next(host) {
      const next = lines.toMove(host)?.moveOn();
      if (next === undefined) return undefined;
      lines.waiting -= 1;
      lines.taken += 1;
      return next;
    },
    room() {
      lines.forgetIdle();
      const isOpen = lines.hasOpenPlaces();
      return {
        executions: (isOpen ? openPlaces(maxConcurrency) : maxConcurrency) - lines.taken + lines.ahead(),
        // A reserved place is for hosts without a call in flight.
        perHost: isOpen ? maxConcurrencyPerHost : 1,
        load: new Map(
          lines.all().map(([host, line]) => [host, line.taken + line.waiting - lines.aheadIn(line)]),
        ),
      };
    },
    roomAhead: () => lines.ahead(),
    hasRoomAt(host) {
      const line = lines.at(host);
      return (lines.hasOpenPlaces() || line.taken === 0) && line.waiting <= lines.aheadIn(line) / 2;
    },
    isMoving: () => lines.isMoving(),
    remove: (host, isLeaving) => leave(lines.at(host).remove(isLeaving)),
    removeAll: () => lines.all().flatMap(([, line]) => leave(line.remove(() => true))),
    removeStuck() {
      const stuck = lines.all().map(([host, line]) => [host, leave(line.removeStuck())] as const);
      return new Map(stuck.filter(([, some]) => some.length > 0));
    },
  };
}
