import type { EventHub } from './hub.ts';

/** Reads something; while the database is away, waits until it is back and reads again. */
export type RetryWhileAway = <T>(read: () => Promise<T>) => Promise<T>;

/** Failures in a row, each with a successful look at the log behind it, after which it is not the database's absence. */
const MAX_FAILURES = 5;

/** A read that keeps failing though the log can be read is a fault, and is thrown. */
export function createRetryWhileAway(hub: Pick<EventHub, 'recovered'>): RetryWhileAway {
  return async (read) => {
    for (let failures = 1; ; failures += 1) {
      try {
        return await read();
      } catch (error) {
        if (failures === MAX_FAILURES || !(await hub.recovered(error))) throw error;
      }
    }
  };
}
