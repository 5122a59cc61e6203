import { createRecentCounts } from '../../async/recent-counts.ts';

/** How fast hosts answer. */
export interface HostThroughput {
  /** A call has ended. */
  note: (host: string) => void;
  /** Calls that have ended within a window lately; 0 for a host that has stopped to answer. */
  now: (host: string) => number;
  /** Calls that ended within a window when most did, in the last {@link REMEMBERED_MS} at least. */
  atBest: (host: string) => number;
  /** A host is no longer what it was: its best is unknown until a call ends again. */
  forget: (host: string) => void;
  /** Hosts whose best is known. */
  hosts: () => string[];
}

/** Of jobs that are due every second, each time finds what the host could do the time before. */
const REMEMBERED_MS = 2_000;

/** @param windowMs the time in which ends are counted together */
export function createHostThroughput(
  windowMs: number,
  monotonicMs: () => number = () => performance.now(),
): HostThroughput {
  const ends = createRecentCounts(windowMs, monotonicMs);
  let best = new Map<string, number>();
  let bestBefore = new Map<string, number>();
  let endsAtMs = 0;

  function turn(): void {
    const nowMs = monotonicMs();
    if (nowMs < endsAtMs) return;
    bestBefore = nowMs < endsAtMs + REMEMBERED_MS ? best : new Map<string, number>();
    best = new Map();
    endsAtMs = nowMs + REMEMBERED_MS;
  }

  return {
    note(host) {
      ends.note(host);
      turn();
      best.set(host, Math.max(best.get(host) ?? 0, ends.of(host)));
    },
    now: ends.of,
    atBest(host) {
      turn();
      return Math.max(best.get(host) ?? 0, bestBefore.get(host) ?? 0);
    },
    forget(host) {
      best.delete(host);
      bestBefore.delete(host);
    },
    hosts() {
      turn();
      return [...new Set([...best.keys(), ...bestBefore.keys()])];
    },
  };
}
