import type { Feed } from '../feed/create-feed.ts';
import type { FeedGap, FeedReader, FeedStatus } from '../feed/feed-reader.ts';
import { followState, type FeedItem } from '../live-state.ts';

/** What a component shows of a feed. */
export interface FeedView<State> {
  state: State;
  status: FeedStatus;
  /** The last hole in the feed, null where there was none. */
  gap: FeedGap | null;
  /** Why the feed has failed; null while it has not. */
  error: Error | null;
}

/** State of a component that changes outside its rendering, as `useSyncExternalStore` wants it. */
export interface Store<View> {
  subscribe: (onChange: () => void) => () => void;
  getView: () => View;
}

/** Keeps a view, and says when it has changed. */
function createView<View extends object>(initial: View) {
  let view = initial;
  let onChange = (): void => undefined;
  return {
    get: () => view,
    change: (part: Partial<View>) => {
      view = { ...view, ...part };
      onChange();
    },
    /** A component subscribes once at a time. */
    listen: (listener: () => void) => {
      onChange = listener;
    },
    unlisten: () => {
      onChange = () => undefined;
    },
  };
}

export type Reduce<Event, State> = (state: State, events: readonly Event[]) => State;

export interface EventsView<State> extends FeedView<State> {
  /** Behind the last event in `state`; null before the first one. Pass it as `after` to go on from there. */
  cursor: string | null;
}

/**
 * Reduces every event of a feed into one state. While no component listens nothing is read; with the next one it goes on
 * where it was.
 */
export function createEventsStore<Event, State>(
  feed: Feed<Event>,
  initial: State,
  reduce: () => Reduce<Event, State>,
): Store<EventsView<State>> {
  const view = createView<EventsView<State>>({
    state: initial,
    status: 'connecting',
    gap: null,
    error: null,
    cursor: null,
  });
  let behind: string | null = null;
  const reader: FeedReader<Event> = {
    onEvents: (events, cursor) => {
      view.change({ state: reduce()(view.get().state, events), cursor });
    },
    onGap: (gap, cursor) => {
      view.change({ gap, cursor: cursor ?? view.get().cursor });
    },
    onStatus: (status, error) => {
      view.change({ status, error });
    },
  };
  return {
    getView: view.get,
    subscribe(onChange) {
      view.listen(onChange);
      const stop = feed.read(reader, behind);
      return () => {
        behind = stop() ?? behind;
        view.unlisten();
      };
    },
  };
}

export interface LiveView<State> extends FeedView<State | null> {
  /** Why the state could not be read, while it is tried again; else null. */
  loadError: unknown;
}

export interface LiveOptions<Event, State> {
  load: () => Promise<State>;
  reduce: Reduce<Event, State>;
}

/** Reads a state once the feed stands, reduces every event behind it, and reads the state anew behind a gap. */
export function createLiveStore<Event extends FeedItem, State>(
  feed: Feed<Event>,
  options: () => LiveOptions<Event, State>,
): Store<LiveView<State>> {
  const view = createView<LiveView<State>>({
    state: null,
    status: 'connecting',
    gap: null,
    error: null,
    loadError: null,
  });
  /** Events that one reduction takes together. */
  let waiting: Event[] = [];

  function reduceWaiting(): void {
    const { state } = view.get();
    const events = waiting;
    waiting = [];
    if (state !== null && events.length > 0) view.change({ state: options().reduce(state, events) });
  }

  function follow(): () => void {
    return followState<{ item: FeedItem }, State>({
      subscribe: (sink, { onBegun }) => {
        const stop = feed.read({
          onBegun: () => onBegun?.(''),
          onEvents: (events) => {
            for (const item of events) sink.next({ data: { item } });
          },
          onGap: (gap) => {
            view.change({ gap });
            sink.next({ data: null });
          },
          onStatus: (status, error) => {
            view.change({ status, error });
          },
        });
        return () => void stop();
      },
      load: () => options().load(),
      onState: (state) => {
        waiting = [];
        view.change({ state, loadError: null });
      },
      onEvent: (event) => {
        if (waiting.push(event as Event) === 1) queueMicrotask(reduceWaiting);
      },
      onLoadFailure: (loadError) => {
        view.change({ loadError });
      },
    });
  }

  return {
    getView: view.get,
    subscribe(onChange) {
      view.listen(onChange);
      const stop = follow();
      return () => {
        stop();
        view.unlisten();
      };
    },
  };
}
