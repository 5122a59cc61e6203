/** Calls that are shorter are not known to be: the clock, and the event loop, are no finer. */
const SHORTEST_MS = 1;
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

/** One host: how many places are taken there, who waits for one, and how long its calls take. */
export class HostLine<Waiting> {
  readonly #monotonicMs: () => number;
  #taken = 0;
  #waiting: InLine<Waiting>[] = [];
  /** Of those who waited, how many have had a place since the last look. */
  #moved = 0;
  /** How long calls take that are not long, and when the last one ended; null where that is not known. */
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

  /** How many calls end within a time that have so many places, if they take as long as they did. */
  callsWithin(ms: number, places: number): number {
    return this.#pace === null ? 0 : Math.floor((places * ms) / this.#pace.averageMs);
  }

  occupy(): void {
    this.#taken += 1;
  }

  /** @param callMs how long the call took; null where there was none */
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

  /** Gives the first who waits a place. */
  moveOn(): Waiting | undefined {
    const next = this.#waiting.shift();
    if (!next) return undefined;
    this.#moved += 1;
    this.occupy();
    return next.who;
  }

  /** Takes those out of the line whom `isLeaving` names. */
  remove(isLeaving: (who: Waiting) => boolean): Waiting[] {
    return this.#remove(({ who }) => isLeaving(who));
  }

  /** Takes those out of the line who have waited for too long, and would go on waiting by what it did since the last look. */
  removeStuck(): Waiting[] {
    const reach = REACH * this.#moved;
    const stuck = this.#remove(({ isLong }, place) => isLong && place >= reach);
    if (stuck.length > 0) this.#pace = null;
    this.#moved = 0;
    // Not at once: after a standstill of this process, answers that make places free may be about to be read.
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
