/** What has failed for itself and is left alone for a while, longer with each failure, so that it harms nothing else. */
export interface Quarantine {
  /** Ids that are to be left alone now. */
  ids: () => string[];
  /** Notes a failure; answers how many that makes, and how long the id is left alone. */
  add: (id: string) => { failures: number; restMs: number };
  /** Forgets an id: it has not failed again. */
  forget: (id: string) => void;
}

const FIRST_REST_MS = 10_000;
const MAX_REST_MS = 600_000;

export function createQuarantine(monotonicMs: () => number): Quarantine {
  const entries = new Map<string, { failures: number; untilMs: number }>();
  return {
    ids() {
      const nowMs = monotonicMs();
      // One that nobody has seen again for so long has gone another way.
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
