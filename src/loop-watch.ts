import type { Loop } from './loop.ts';

/** A loop, and how long it rests at most. */
export interface WatchedLoop {
  loop: Pick<Loop, 'name' | 'lastSuccessMs'>;
  longestRestMs: number;
}

/** Tells which of some loops do not go on. */
export interface LoopWatch {
  /** The loops are started now: until their first success, they are given as long as after one. */
  noteStart: () => void;
  /** Loops that have not succeeded for longer than they should, by name; empty when all is well. */
  stalled: () => string[];
}

/** Steps take seconds at most; a loop that has not succeeded for this long plus its rest hangs or fails. */
const STALL_MS = 10_000;

export function watchLoops(watched: readonly WatchedLoop[]): LoopWatch {
  let startedMs = 0;
  return {
    noteStart() {
      startedMs = performance.now();
    },
    stalled() {
      const nowMs = performance.now();
      return watched
        .filter(
          ({ loop, longestRestMs }) => nowMs - (loop.lastSuccessMs ?? startedMs) > longestRestMs + STALL_MS,
        )
        .map(({ loop }) => loop.name);
    },
  };
}
