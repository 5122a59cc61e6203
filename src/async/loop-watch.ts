import type { Loop } from './loop.ts';

/** Tells which of some loops do not go on. */
export interface LoopWatch {
  /** Loops whose step has been due for longer than it should be, by name; empty when all is well. */
  stalled: () => string[];
}

/** Steps take seconds at most; a loop whose step has been due for this long and has not succeeded hangs or fails. */
const STALL_MS = 15_000;

export function watchLoops(loops: readonly Pick<Loop, 'name' | 'dueAtMs'>[]): LoopWatch {
  return {
    stalled() {
      const nowMs = performance.now();
      return loops
        .filter(({ dueAtMs }) => dueAtMs !== null && nowMs - dueAtMs > STALL_MS)
        .map(({ name }) => name);
    },
  };
}
