import type { DocumentNode } from 'graphql';
import { planResume, type FeedPlan } from '../resume-plan.ts';
import type { Sink } from '../sink.ts';
import type { SubscribeOptions } from '../transport.ts';
import type { FeedReader } from './feed-reader.ts';
import { startFeedRun, type FeedRun, type SubscribeToFeed } from './run.ts';

/** What the documents of feeds answer with: one field, of events and gaps. */
export type EventOf<Data> = Exclude<Data[Exclude<keyof Data, '__typename'>], { __typename: 'FeedGap' }>;

/**
 * One subscription of the page that any number of readers share. It begins with the first reader and is kept for three
 * seconds after the last one. Every event reaches every reader, once and in order, at most one batch a frame.
 */
export interface Feed<Event> {
  /**
   * Reads from now on, or from behind a cursor. A reader whose cursor is not where the shared subscription is gets one of
   * its own, so that it misses nothing.
   *
   * @returns ends the reading; gives the cursor behind the last item that the reader was told, to go on from later
   */
  read: (reader: FeedReader<Event>, after?: string | null) => () => string | null;
}

export interface FeedOptions<Variables> {
  /** A subscription with a variable for `after`, `cursor` of its events and `toCursor` of its gaps. */
  document: DocumentNode;
  /** Where they hold a cursor as `after`, the feed begins behind it, else now. */
  variables: Variables;
  /** Subscribes once with these variables, through any client; returns what ends it. */
  subscribe: (variables: Variables, sink: Sink<object>, options: SubscribeOptions) => () => void;
  /** Called when no subscription is open any more. */
  onIdle?: (() => void) | undefined;
}

/**
 * Makes a feed. Nothing is sent before it is read.
 *
 * @throws Error where the document is no subscription that can be resumed; the message says what it lacks
 */
export function createFeed<Event, Variables extends object>(options: FeedOptions<Variables>): Feed<Event> {
  const { document, variables, subscribe, onIdle } = options;
  const plan = planFeed(document);
  const given = (variables as Record<string, unknown>)[plan.after];
  const runs = new Set<FeedRun<Event>>();
  let shared: FeedRun<Event> | null = null;

  const subscribeFrom: SubscribeToFeed = (after, sink, subscribeOptions) =>
    subscribe({ ...variables, [plan.after]: after }, sink, subscribeOptions);

  function start(after: string | null): FeedRun<Event> {
    const run: FeedRun<Event> = startFeedRun<Event>({
      plan,
      subscribe: subscribeFrom,
      after,
      onOver: () => {
        runs.delete(run);
        if (shared === run) shared = null;
        if (runs.size === 0) onIdle?.();
      },
    });
    runs.add(run);
    return run;
  }

  return {
    read(reader, after = null) {
      shared ??= start(after ?? (typeof given === 'string' ? given : null));
      const run = after === null || shared.cursor === after ? shared : start(after);
      run.add(reader);
      return () => run.remove(reader);
    },
  };
}

function planFeed(document: DocumentNode): FeedPlan {
  const plan = planResume(document);
  if (plan.kind === 'feed') return plan;
  if (plan.kind === 'refused') throw new Error(plan.reason);
  throw new Error('The document is no subscription whose field takes `after`.');
}
