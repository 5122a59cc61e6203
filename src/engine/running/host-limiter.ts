import {
  openPlaces,
  placesPerHost,
  type FreePlaces,
  type PlaceLimits,
} from '../../domain/execution/places.ts';
import { HostLine } from './host-line.ts';

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
/** Of jobs that are due every second, each time finds how fast the host was the time before. */
const REMEMBERED_MS = 2_000;

/** The lines of all hosts, and what is counted over them. */
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

  /** A line in which somebody may have a place: that of the host, or else any. */
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

  /** How many may be claimed ahead for a line: as many as have had a place within {@link AHEAD_MS}, at the pace of its calls. */
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

  /** Whether somebody waits at a host that answers at this moment. */
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
        // A reserved place is for hosts that have nothing under way.
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
