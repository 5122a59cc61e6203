import type { Loop } from './loop.ts';

/** Tells which loops are stalled. */
export interface LoopWatch {
  /** The names of loops whose step has been due for too long; empty when all is well. */
  stalled: () => string[];
}

/** Steps take seconds at most. A loop whose step has been due for this long without success hangs or fails. */
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
