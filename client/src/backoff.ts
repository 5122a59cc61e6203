/** How long to wait before asking again, in milliseconds. */
export interface Backoff {
  initialDelayMs: number;
  maxDelayMs: number;
}

export const DEFAULT_BACKOFF: Backoff = { initialDelayMs: 250, maxDelayMs: 10_000 };

/**
 * Doubles with each failure in a row. Half of the wait is random, so that a server that comes back does not meet all
 * its clients in the same instant.
 *
 * @param failures so far in a row, from 1
 * @param draw a number in [0, 1)
 */
export function backoffMs({ initialDelayMs, maxDelayMs }: Backoff, failures: number, draw: number): number {
  // Past 2^20 the product only grows towards Infinity, which timers take for 0.
  const ceiling = Math.min(initialDelayMs * 2 ** Math.min(failures - 1, 20), maxDelayMs);
  return ceiling * (0.5 + draw / 2);
}
