import type { FeedPlan } from './resume-plan.ts';
import type { Result } from './sink.ts';

type Variables = Readonly<Record<string, unknown>>;

/**
 * No cursor of the server's. It answers with a gap that says where the feed begins, and so a feed has a place to go on
 * from before its first event has come.
 */
const NOWHERE = 'now';

/** What a result says of a feed's way. */
export type Step =
  /** The feed stands: from here on nothing is missed. It is the answer to {@link NOWHERE}, and no news to anybody. */
  | 'begun'
  /** An event, or a gap to tell of. */
  | 'moved'
  /** An event that could not be told: the way behind it is not known. */
  | 'failed';

/** The place that a feed has reached, over all its connections. */
export interface FeedPosition {
  /** What the next (re)subscription is to send. Read it late: it moves. */
  readonly variables: Variables;
  /** Null until the feed stands. */
  readonly cursor: string | null;
  take: (result: Result<unknown>) => Step;
}

/** @param variables those of the application; without a cursor among them the feed begins now */
export function createFeedPosition(plan: FeedPlan, variables: Variables): FeedPosition {
  const given = variables[plan.after];
  let cursor = typeof given === 'string' ? given : null;

  return {
    get variables() {
      return { ...variables, [plan.after]: cursor ?? NOWHERE };
    },
    get cursor() {
      return cursor;
    },
    take(result) {
      const item = (result.data as Variables | null | undefined)?.[plan.item] as Variables | null | undefined;
      const ofEvent = item?.[plan.cursor];
      const ofGap = item?.[plan.toCursor];
      const next = typeof ofEvent === 'string' ? ofEvent : ofGap;
      if (typeof next !== 'string') return 'failed';
      const isAnswerToNowhere = cursor === null && typeof ofEvent !== 'string';
      cursor = next;
      return isAnswerToNowhere ? 'begun' : 'moved';
    },
  };
}
