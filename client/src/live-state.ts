import { backoffMs, DEFAULT_BACKOFF, type Backoff } from './backoff.ts';
import type { Sink } from './sink.ts';
import type { SubscribeOptions } from './transport.ts';

/** What a feed tells: events of some kind, and gaps. */
export interface FeedItem {
  __typename: string;
}

export interface LiveStateOptions<Data extends Record<string, FeedItem>, State> {
  /** Subscribes to one feed without a cursor, through the transport or any client made of it; returns what ends it. */
  subscribe: (sink: Sink<Data>, options: SubscribeOptions) => () => void;
  /** Reads the state from the server, past every cache. */
  load: () => Promise<State>;
  /** The state as it was a moment ago: takes the place of all that was shown before. */
  onState: (state: State) => void;
  /**
   * What has happened since, in order. The first ones may have happened just before the state was read, so take over what
   * an event's entity is, rather than count on what it was.
   */
  onEvent: (event: Exclude<Data[keyof Data], { __typename: 'FeedGap' }>) => void;
  /** Nothing more will come. */
  onError?: ((error: unknown) => void) | undefined;
  /** A `load` failed, and will be tried again. */
  onLoadFailure?: ((error: unknown) => void) | undefined;
  backoff?: Backoff | undefined;
}

/**
 * State that stays true: subscribes first, reads once the feed stands, then hands on the state and every event behind
 * it. Where the feed tells of a gap, the state is read anew.
 *
 * @returns ends it
 */
export function followState<Data extends Record<string, FeedItem>, State>(
  options: LiveStateOptions<Data, State>,
): () => void {
  const { subscribe, load, onState, onEvent, onError, onLoadFailure, backoff = DEFAULT_BACKOFF } = options;
  type Event = Parameters<typeof onEvent>[0];
  /** Events that wait for the state; null while there is one. */
  let waiting: Event[] | null = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  /** Which reading of the state counts. */
  let current = 0;

  function take(item: Data[keyof Data] | undefined): void {
    // What came before a gap, or before an event that could not be told, is part of the state that is read behind it.
    if (!item || item.__typename === 'FeedGap') void read();
    else if (waiting) waiting.push(item as Event);
    else onEvent(item as Event);
  }

  async function read(failures = 0): Promise<void> {
    const mine = (current += 1);
    clearTimeout(timer);
    if (failures === 0) waiting = [];
    let state: State;
    try {
      state = await load();
    } catch (error) {
      if (mine !== current) return;
      onLoadFailure?.(error);
      timer = setTimeout(() => void read(failures + 1), backoffMs(backoff, failures + 1, Math.random()));
      return;
    }
    if (mine === current) show(state);
  }

  function show(state: State): void {
    const mine = current;
    const events = waiting ?? [];
    waiting = null;
    onState(state);
    for (const event of events) if (mine === current) onEvent(event);
  }

  const unsubscribe = subscribe(
    {
      next: ({ data }) => {
        take(Object.values(data ?? {})[0] as Data[keyof Data] | undefined);
      },
      error: (error) => onError?.(error),
      complete: () => undefined,
    },
    { onBegun: () => void read() },
  );
  return () => {
    current += 1;
    clearTimeout(timer);
    unsubscribe();
  };
}
