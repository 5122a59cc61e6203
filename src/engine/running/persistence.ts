import { createLogger } from '../../logging/logger.ts';
import { isAway } from '../../store/statements/failures.ts';

const logger = createLogger('Settler');

const RETRY_MS = 500;
/** Of what fails though the database is there, the pauses between tries double up to this. */
const MAX_RETRY_MS = 10_000;

/** How writes are tried again until the instance gives them up. */
export interface Persistence {
  /** Keeps trying while the database is away. Rejects with any other error, and with the last one once given up. */
  whileAway: <T>(count: number, attempt: () => Promise<T>) => Promise<{ answer: T; isRepeated: boolean }>;
  /** Waits before what has failed so often, though the database is there, is tried again. */
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
