import type { GraphQLFormattedError } from 'graphql';
import type { FeedPlan } from '../resume-plan.ts';
import { callSafely, type Sink } from '../sink.ts';
import type { SubscribeOptions } from '../transport.ts';
import { createBatches, itemOf, type Batch } from './batches.ts';
import type { FeedReader } from './feed-reader.ts';
import { createReaders } from './readers.ts';
import { createStatus } from './status.ts';

/** Subscribes once, from behind the cursor in `after`, or from now where it is null; returns what ends it. */
export type SubscribeToFeed = (
  after: string | null,
  sink: Sink<object>,
  options: SubscribeOptions,
) => () => void;

export interface FeedRunOptions {
  plan: FeedPlan;
  subscribe: SubscribeToFeed;
  /** Null begins now. */
  after: string | null;
  /** Called once: nothing more comes, or nobody has read for a while. */
  onOver: () => void;
}

/** One subscription and its readers. */
export interface FeedRun<Event> {
  /** Behind the last item that the readers were told; null until the feed stands. */
  readonly cursor: string | null;
  add: (reader: FeedReader<Event>) => void;
  /** @returns the cursor behind the last item that this reader was told */
  remove: (reader: FeedReader<Event>) => string | null;
}

/** How long a subscription without readers is kept: moving from page to page needs no new one. */
const IDLE_MS = 3_000;

export function startFeedRun<Event>({ plan, subscribe, after, onOver }: FeedRunOptions): FeedRun<Event> {
  const readers = createReaders<Event>();
  const batches = createBatches<Event>(tell);
  const status = createStatus((name, error) => {
    readers.tell((reader) => reader.onStatus?.(name, error));
  });
  let idleTimer: ReturnType<typeof setTimeout> | undefined;
  let cursor = after;

  function tell(batch: Batch<Event>): void {
    cursor = batch.cursor ?? cursor;
    readers.tell((reader) => {
      if ('gap' in batch) reader.onGap?.(batch.gap, batch.cursor);
      else reader.onEvents(batch.events, batch.cursor);
    }, cursor);
  }

  function end(last: 'ended' | 'failed', error: Error | null): void {
    if (status.isOver) return;
    clearTimeout(idleTimer);
    batches.flush();
    onOver();
    status.end(last, error);
  }

  function leave(): void {
    batches.drop();
    status.end('ended', null);
    onOver();
    unsubscribe();
  }

  const unsubscribe = subscribe(
    after,
    {
      next: (result) => {
        const item = itemOf<Event>(plan, result);
        if ('event' in item) status.sawEvent(item.event);
        batches.push(item);
      },
      error: (error) => {
        end('failed', asError(error));
      },
      complete: () => {
        end('ended', null);
      },
    },
    {
      onBegun: (begin) => {
        cursor = begin;
        readers.tell((reader) => reader.onBegun?.(), begin);
        status.begun();
      },
      onConnectionChange: (state) => {
        if (state === 'connecting') status.cut();
        else if (cursor !== null) status.resumed();
      },
    },
  );

  return {
    get cursor() {
      return cursor;
    },
    add(reader) {
      clearTimeout(idleTimer);
      readers.add(reader, cursor);
      callSafely(() => reader.onStatus?.(status.name, status.error));
      if (cursor !== null) callSafely(() => reader.onBegun?.());
    },
    remove(reader) {
      const last = readers.remove(reader);
      if (readers.size === 0 && !status.isOver) idleTimer = setTimeout(leave, IDLE_MS);
      return last;
    },
  };
}

function asError(error: Error | readonly GraphQLFormattedError[]): Error {
  if (error instanceof Error) return error;
  return new Error(error.map(({ message }) => message).join('\n'), { cause: error });
}
