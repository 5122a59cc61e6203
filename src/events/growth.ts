/** How fast something has lately grown. */
export interface Growth {
  note: (count: number) => void;
  /** Whether it has grown by more than so many per second, within about the last window. */
  isFasterThan: (perSecond: number) => boolean;
}

const WINDOW_MS = 200;

/** Counts in windows of fixed length, of which the last one and the one under way are looked at. */
export function createGrowth(monotonicMs: () => number = () => performance.now()): Growth {
  let current = 0;
  let previous = 0;
  let endsAtMs = 0;

  function turn(): void {
    const nowMs = monotonicMs();
    if (nowMs < endsAtMs) return;
    previous = nowMs < endsAtMs + WINDOW_MS ? current : 0;
    current = 0;
    endsAtMs = nowMs + WINDOW_MS;
  }

  return {
    note(count) {
      turn();
      current += count;
    },
    isFasterThan(perSecond) {
      turn();
      return Math.max(current, previous) * (1_000 / WINDOW_MS) > perSecond;
    },
  };
}
