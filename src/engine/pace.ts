/** How many calls have lately ended at each host: what may be claimed ahead of a free place without waiting long. */
export interface Pace {
  noteEnd: (host: string) => void;
  /** Calls that ended at the host within about one window; 0 for one that hangs. */
  of: (host: string) => number;
}

/** What is claimed ahead waits about this long for its call: time enough for one more claim, and little to be late by. */
const WINDOW_MS = 100;

/** Counts in windows of fixed length, so that a host that has stopped answering is forgotten after two of them. */
export function createPace(monotonicMs: () => number = () => performance.now()): Pace {
  let current = new Map<string, number>();
  let previous = new Map<string, number>();
  let endsAtMs = 0;

  function turn(): void {
    const nowMs = monotonicMs();
    if (nowMs < endsAtMs) return;
    previous = nowMs < endsAtMs + WINDOW_MS ? current : new Map<string, number>();
    current = new Map();
    endsAtMs = nowMs + WINDOW_MS;
  }

  return {
    noteEnd(host) {
      turn();
      current.set(host, (current.get(host) ?? 0) + 1);
    },
    of(host) {
      turn();
      return Math.max(current.get(host) ?? 0, previous.get(host) ?? 0);
    },
  };
}
