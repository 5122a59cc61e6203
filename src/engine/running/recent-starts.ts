/** Which of the calls under way have begun a moment ago: they may well end in another one, and together. */
export interface RecentStarts {
  /** A call begins; what it answers is to be given when that ends. */
  begin: () => number;
  end: (begun: number) => void;
  /** Whether any is under way that began within the last {@link MOMENT_MS}, or half of that. */
  any: () => boolean;
}

const MOMENT_MS = 20;
const WINDOW_MS = MOMENT_MS / 2;

/** Counts in windows of time, of which the one under way and the one before are known. */
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
