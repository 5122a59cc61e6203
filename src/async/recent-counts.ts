/** Counts how often things have happened recently, by name. */
export interface RecentCounts {
  note: (name: string, count?: number) => void;
  /** The larger count of the current window and the one before; 0 for things that no longer happen. */
  of: (name: string) => number;
}

/** Counts in windows of fixed length. A thing that no longer happens is forgotten after two windows. */
export function createRecentCounts(
  windowMs: number,
  monotonicMs: () => number = () => performance.now(),
): RecentCounts {
  let current = new Map<string, number>();
  let previous = new Map<string, number>();
  let endsAtMs = 0;

  function turn(): void {
    const nowMs = monotonicMs();
    if (nowMs < endsAtMs) return;
    previous = nowMs < endsAtMs + windowMs ? current : new Map<string, number>();
    current = new Map();
    endsAtMs = nowMs + windowMs;
  }

  return {
    note(name, count = 1) {
      turn();
      current.set(name, (current.get(name) ?? 0) + count);
    },
    of(name) {
      turn();
      return Math.max(current.get(name) ?? 0, previous.get(name) ?? 0);
    },
  };
}
