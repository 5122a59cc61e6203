/**
 * When to look past the executions of hosts that have no place left. Looking past many of them costs the database some
 * milliseconds, so not with each step, and less often while nothing is found behind them and nothing new is told.
 */
export interface DeepLook {
  /** How long to wait for the next look; 0 where it may be made. */
  restMs: () => number;
  /** Makes a look; answers how long to wait for the next one. */
  make: (look: () => Promise<number>) => Promise<number>;
  /** There may be something new: the next look is made as soon as it may be. */
  noteNews: () => void;
}

/** Between two looks. */
const MIN_INTERVAL_MS = 100;
export const MAX_DEEP_LOOK_MS = 1_000;
/** A look takes the longer the more executions wait; it may take up a third of the time. */
const RESTS = 2;

export function createDeepLook(monotonicMs: () => number): DeepLook {
  let nextMs = 0;
  /** When it may be made at the earliest, should there be something new. */
  let soonestMs = 0;
  let intervalMs = MIN_INTERVAL_MS;
  return {
    restMs: () => Math.max(nextMs - monotonicMs(), 0),
    async make(look) {
      const startsMs = monotonicMs();
      const found = await look();
      const endsMs = monotonicMs();
      const restMs = Math.max(MIN_INTERVAL_MS, RESTS * (endsMs - startsMs));
      intervalMs = found > 0 ? restMs : Math.max(restMs, Math.min(2 * intervalMs, MAX_DEEP_LOOK_MS));
      soonestMs = endsMs + restMs;
      nextMs = endsMs + intervalMs;
      return intervalMs;
    },
    noteNews() {
      nextMs = Math.min(nextMs, soonestMs);
    },
  };
}
