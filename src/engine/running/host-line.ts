/** The clock and the event loop cannot measure shorter calls. */
const SHORTEST_MS = 1;
/** The weight of the latest call in the average of a host. */
const LATEST_SHARE = 1 / 8;
/**
 * A longer call says nothing about how soon places become free. An execution that has waited for longer may be stuck.
 */
const LONG_MS = 1_000;
/** The line is expected to give this many times as many places as since the last look. */
const REACH = 2;

interface InLine<Waiting> {
  who: Waiting;
  sinceMs: number;
  /** The wait was already long at the last look. */
  isLong: boolean;
}

/** One host: its used places, its waiting executions, and how long its calls take. */
export class HostLine<Waiting> {
  readonly #monotonicMs: () => number;
  #taken = 0;
  #waiting: InLine<Waiting>[] = [];
  /** How many waiting executions have got a place since the last look. */
  #moved = 0;
  /** The average time of calls below {@link LONG_MS}, and when the last one ended; null when not known. */
  #pace: { averageMs: number; endedAtMs: number } | null = null;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  get isIdle(): boolean {
    return this.#taken === 0 && this.#waiting.length === 0;
  }

  hasAnsweredWithin(ms: number): boolean {
    return this.#pace !== null && this.#monotonicMs() - this.#pace.endedAtMs < ms;
  }

  /** How many calls so many places can serve within a time, at the average time of a call. */
  callsWithin(ms: number, places: number): number {
    return this.#pace === null ? 0 : Math.floor((places * ms) / this.#pace.averageMs);
  }

  occupy(): void {
    this.#taken += 1;
  }

  /** @param callMs how long the call took; null when there was no call */
  free(callMs: number | null): void {
    this.#taken -= 1;
    if (callMs === null || callMs >= LONG_MS) return;
    const lastMs = Math.max(callMs, SHORTEST_MS);
    const beforeMs = this.#pace?.averageMs ?? lastMs;
    this.#pace = {
      averageMs: beforeMs + (lastMs - beforeMs) * LATEST_SHARE,
      endedAtMs: this.#monotonicMs(),
    };
  }

  join(who: Waiting): void {
    this.#waiting.push({ who, sinceMs: this.#monotonicMs(), isLong: false });
  }

  /** Gives a place to the first waiting execution. */
  moveOn(): Waiting | undefined {
    const next = this.#waiting.shift();
    if (!next) return undefined;
    this.#moved += 1;
    this.occupy();
    return next.who;
  }

  /** Removes the executions that `isLeaving` names. */
  remove(isLeaving: (who: Waiting) => boolean): Waiting[] {
    return this.#remove(({ who }) => isLeaving(who));
  }

  /** Removes executions that have waited too long and for which the line is too slow since the last look. */
  removeStuck(): Waiting[] {
    const reach = REACH * this.#moved;
    const stuck = this.#remove(({ isLong }, place) => isLong && place >= reach);
    if (stuck.length > 0) this.#pace = null;
    this.#moved = 0;
    // A long wait counts only at the next look. After this process stood still, it may first have to read answers
    // that free places.
    const longSinceMs = this.#monotonicMs() - LONG_MS;
    for (const inLine of this.#waiting) inLine.isLong = inLine.sinceMs <= longSinceMs;
    return stuck;
  }

  #remove(isLeaving: (inLine: InLine<Waiting>, place: number) => boolean): Waiting[] {
    const leaving = this.#waiting.filter(isLeaving);
    if (leaving.length === 0) return [];
    const left = new Set(leaving);
    this.#waiting = this.#waiting.filter((inLine) => !left.has(inLine));
    return leaving.map(({ who }) => who);
  }
}
