/**
 * Holds ids whose work has failed. Each failure leads to a longer rest, so the failing work does not harm other work.
 */
export interface Quarantine {
  /** The ids that must rest now. */
  ids: () => string[];
  /** Notes a failure. Returns how many failures the id has, and how long it rests. */
  add: (id: string) => { failures: number; restMs: number };
  /** Forgets an id after a success. */
  forget: (id: string) => void;
}

const FIRST_REST_MS = 10_000;
const MAX_REST_MS = 600_000;

export function createQuarantine(monotonicMs: () => number): Quarantine {
  const entries = new Map<string, { failures: number; untilMs: number }>();
  return {
    ids() {
      const nowMs = monotonicMs();
      // An id without a new failure for so long no longer matters.
      for (const [id, { untilMs }] of entries) if (nowMs - untilMs > MAX_REST_MS) entries.delete(id);
      return [...entries].filter(([, { untilMs }]) => untilMs > nowMs).map(([id]) => id);
    },
    add(id) {
      const failures = (entries.get(id)?.failures ?? 0) + 1;
      const restMs = Math.min(FIRST_REST_MS * 2 ** (failures - 1), MAX_REST_MS);
      entries.set(id, { failures, untilMs: monotonicMs() + restMs });
      return { failures, restMs };
    },
    forget(id) {
      entries.delete(id);
    },
  };
}
