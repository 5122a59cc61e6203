import { createLogger } from '../../logging/logger.ts';
import { isAway } from '../../store/statements/failures.ts';

const logger = createLogger('Settler');

const RETRY_MS = 500;
/** The longest pause between tries of a write that fails although the database answers. Pauses double up to it. */
const MAX_RETRY_MS = 10_000;

/** Tries writes again until the instance gives up. */
export interface Persistence {
  /**
   * Repeats a write while the database is unreachable. Rejects with any other error, and with the last error after
   * giving up.
   */
  whileAway: <T>(count: number, attempt: () => Promise<T>) => Promise<{ answer: T; isRepeated: boolean }>;
  /** Waits before the next try of a write that has failed `tries` times although the database answers. */
  rest: (tries: number) => Promise<void>;
  isGivenUp: () => boolean;
  giveUp: () => void;
}

export function createPersistence(pause: (ms: number) => Promise<void>): Persistence {
  let isGivenUp = false;
  return {
    async whileAway(count, attempt) {
      for (let isRepeated = false; ; isRepeated = true) {
        try {
          return { answer: await attempt(), isRepeated };
        } catch (error) {
          if (!isAway(error) || isGivenUp) throw error;
          logger.warn('Outcomes cannot be recorded at the moment; trying again', { count, error });
          await pause(RETRY_MS);
        }
      }
    },
    rest: (tries) => pause(Math.min(RETRY_MS * 2 ** (tries - 1), MAX_RETRY_MS)),
    isGivenUp: () => isGivenUp,
    giveUp() {
      isGivenUp = true;
    },
  };
}
