/**
 * When to look past the executions of hosts without a free place. Such a look costs the database some milliseconds,
 * so not every step makes one. Looks become rarer while they find nothing and there is no news.
 */
export interface DeepLook {
  /** How long to wait for the next look; 0 when it may happen now. */
  restMs: () => number;
  /** Makes a look. Returns how long to wait for the next one. */
  make: (look: () => Promise<number>) => Promise<number>;
  /** Says that there may be something new. The next look then happens as early as allowed. */
  noteNews: () => void;
}

/** The shortest time between two looks. */
const MIN_INTERVAL_MS = 100;
export const MAX_DEEP_LOOK_MS = 1_000;
/** With many waiting executions a look takes long. Looks may use up to a third of the time. */
const RESTS = 2;

export function createDeepLook(monotonicMs: () => number): DeepLook {
  let nextMs = 0;
  /** The earliest time of the next look after news. */
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
