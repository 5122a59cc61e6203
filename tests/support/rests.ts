import { onTestFinished, vi } from 'vitest';

export type TickWatch = {
  /** How long the loops decided to rest since the watch began, in milliseconds. */
  rests: number[];
  /** Rests that are neither over nor called off: zero when no loop will ever step again. */
  pending: () => number;
};

/** Watches the loops' timers, whose callback is named `tick`: a loop tells nobody else how long it rests. */
export function watchTicks(): TickWatch {
  const rests: number[] = [];
  const pending = new Set<unknown>();
  const { setTimeout: set, clearTimeout: clear } = globalThis;

  const setAndRecord = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    if (callback.name !== 'tick') return set(callback, ms, ...args);
    rests.push(ms ?? 0);
    const timer = set(() => {
      pending.delete(timer);
      callback();
    }, ms);
    pending.add(timer);
    return timer;
  };
  const spies = [
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(setAndRecord as typeof setTimeout),
    vi.spyOn(globalThis, 'clearTimeout').mockImplementation((timer) => {
      pending.delete(timer);
      clear(timer);
    }),
  ];
  onTestFinished(() => {
    for (const spy of spies) spy.mockRestore();
  });
  return { rests, pending: () => pending.size };
}
