import { GraphQLError } from 'graphql';
import { createBudget, type Part } from '../../async/budget.ts';
import {
  HEAVY_ANSWER_WAIT_MS,
  HEAVY_ANSWERS_AT_ONCE,
  MAX_ANSWER_BYTES,
  RETRY_AFTER_SECONDS,
  SMALL_ANSWERS_TO_A_LARGE_ONE,
} from './limits.ts';

/**
 * Bounds the answers in flight that may be large, over all transports together. An answer is in flight from the moment before
 * it is made until its client has taken it in. It takes room by what was measured before it is made; whoever has made it
 * gives back what it does not need.
 *
 * Small answers take no room, so that no large one holds them up.
 */
export interface HeavyAnswers {
  isHeavy: (bytes: number) => boolean;
  /** Room for the answer to a query or mutation; an error where none comes in time. Null where the answer is small. */
  enter: (bytes: number) => Part | null | Promise<Part | GraphQLError>;
  /** Room for so many results of a subscription, which wait as long as they must: no event is left out. */
  enterResult: (bytes: number, count: number) => Part | null | Promise<Part | null>;
}

export function createHeavyAnswers({
  maxBytes = MAX_ANSWER_BYTES,
  waitMs = HEAVY_ANSWER_WAIT_MS,
}: {
  maxBytes?: number | undefined;
  waitMs?: number | undefined;
}): HeavyAnswers {
  const room = HEAVY_ANSWERS_AT_ONCE * maxBytes;
  const budget = createBudget(room);
  const isHeavy = (bytes: number) => bytes > maxBytes / SMALL_ANSWERS_TO_A_LARGE_ONE;
  return {
    isHeavy,
    enter(bytes) {
      if (!isHeavy(bytes)) return null;
      const part = budget.take(bytes, waitMs);
      return part instanceof Promise ? part.then((got) => got ?? noRoom(room, waitMs)) : part;
    },
    enterResult: (bytes, count) => (isHeavy(bytes) ? budget.take(count * bytes) : null),
  };
}

function noRoom(room: number, waitMs: number): GraphQLError {
  return new GraphQLError(
    `The answers in flight may hold ${room} bytes together (${HEAVY_ANSWERS_AT_ONCE} times MAX_ANSWER_BYTES), and no room came within ${waitMs / 1_000} s: try again, or ask for less.`,
    {
      extensions: {
        code: 'TOO_MANY_OPERATIONS',
        http: { status: 503, headers: { 'Retry-After': `${RETRY_AFTER_SECONDS}` } },
      },
    },
  );
}
