import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 10;

export type UntilOptions = {
  /** How long at most; generous, as it is only ever used up by a failure. */
  timeoutMs?: number;
  /** What is waited for, for the error's text. */
  what?: string;
};

/**
 * Waits until a condition holds and returns what it gave: the way for a test to wait, as it takes no longer than needed
 * and says what it waited for in vain.
 *
 * @param condition asked again and again; anything truthy ends the wait, an error it throws fails it at once
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  options: UntilOptions = {},
): Promise<NonNullable<T>> {
  const { timeoutMs = 10_000, what = condition.toString() } = options;
  const since = performance.now();
  for (;;) {
    const result = await condition();
    if (result) return result;
    if (performance.now() - since > timeoutMs)
      throw new Error(`Waited ${timeoutMs} ms in vain until: ${what}`);
    await delay(POLL_MS);
  }
}
