/** Watches whether the database answers, to notice its return after an outage. */
export interface Connectivity {
  /** Notes an answer. Returns for how many milliseconds there has been no break; Infinity when there never was one. */
  noteAnswer: () => number;
}

/** @param breakMs the time without an answer that counts as a break, with or without errors */
export function createConnectivity(breakMs: number, monotonicMs: () => number): Connectivity {
  let answeredAtMs: number | null = null;
  let unbrokenSinceMs = -Infinity;
  return {
    noteAnswer() {
      const nowMs = monotonicMs();
      if (answeredAtMs !== null && nowMs - answeredAtMs >= breakMs) unbrokenSinceMs = nowMs;
      answeredAtMs = nowMs;
      return nowMs - unbrokenSinceMs;
    },
  };
}
