/** Follows whether the database answers, to tell a return after an absence from ordinary times. */
export interface Connectivity {
  /** Notes an answer; answers for how many milliseconds there has been no break, Infinity where there never was one. */
  noteAnswer: () => number;
}

/**
 * @param breakMs two answers that are further apart than this have a break between them: errors or not, nothing was heard
 *   meanwhile
 */
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
