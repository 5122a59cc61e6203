import { onTestFinished, vi } from 'vitest';

/**
 * Records how long the loops decide to rest from now on, in milliseconds. A loop answers this to nobody but its
 * timer, whose callback is named `tick`.
 */
export function recordRests(): number[] {
  const rests: number[] = [];
  const original = globalThis.setTimeout;
  const record = (callback: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => {
    if (callback.name === 'tick') rests.push(ms ?? 0);
    return original(callback, ms, ...args);
  };
  const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(record as typeof setTimeout);
  onTestFinished(() => {
    spy.mockRestore();
  });
  return rests;
}
