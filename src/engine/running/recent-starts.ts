/** Which calls in flight began a moment ago. They may end soon and together. */
export interface RecentStarts {
  /** Notes that a call begins. Returns the value that `end` needs. */
  begin: () => number;
  end: (begun: number) => void;
  /** Whether a call in flight began within the last {@link MOMENT_MS}, or half of that. */
  any: () => boolean;
}

const MOMENT_MS = 20;
const WINDOW_MS = MOMENT_MS / 2;

/** Counts in windows of time. It knows the current window and the one before. */
export function createRecentStarts(monotonicMs: () => number): RecentStarts {
  let window = 0;
  let current = 0;
  let before = 0;

  function turn(): void {
    const now = Math.floor(monotonicMs() / WINDOW_MS);
    if (now === window) return;
    before = now === window + 1 ? current : 0;
    current = 0;
    window = now;
  }

  return {
    begin() {
      turn();
      current += 1;
      return window;
    },
    end(begun) {
      if (begun === window) current -= 1;
      else if (begun === window - 1) before -= 1;
    },
    any() {
      turn();
      return current + before > 0;
    },
  };
}
