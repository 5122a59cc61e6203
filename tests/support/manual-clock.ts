import type { DatabaseClock } from '../../src/store/upkeep/database-clock.ts';

/** A clock that stands still until a test moves it. Instances of one test share one, as they share the database's. */
export type ManualClock = DatabaseClock & {
  /** Moves on by so many milliseconds; answers the new time. */
  advance: (ms: number) => Date;
  set: (at: Date) => void;
  /** Sets it forward by so many milliseconds, as a refresh finds a database's clock to be. */
  setForward: (ms: number) => void;
  /** How often somebody wanted it set by the database. */
  readonly refreshes: number;
};

export const START = new Date('2030-01-07T09:00:00.000Z');

export function manualClock(start: Date = START): ManualClock {
  let nowMs = start.getTime();
  let refreshes = 0;
  let setForwardAtMs = -Infinity;
  return {
    now: () => new Date(nowMs),
    refresh() {
      refreshes += 1;
      return Promise.resolve();
    },
    advance(ms) {
      nowMs += ms;
      return new Date(nowMs);
    },
    set(at) {
      nowMs = at.getTime();
    },
    setForward(ms) {
      nowMs += ms;
      setForwardAtMs = nowMs;
    },
    sinceSetForwardMs: () => nowMs - setForwardAtMs,
    get refreshes() {
      return refreshes;
    },
  };
}

/** The instant so many milliseconds after another. */
export function plus(at: Date, ms: number): Date {
  return new Date(at.getTime() + ms);
}
