import { useInsertionEffect, useRef, useState, useSyncExternalStore } from 'react';
import type { Feed } from '../feed/create-feed.ts';
import type { FeedItem } from '../live-state.ts';
import {
  createEventsStore,
  createLiveStore,
  type EventsView,
  type LiveOptions,
  type LiveView,
  type Reduce,
  type Store,
} from './stores.ts';

export type { EventsView, FeedView, LiveOptions, LiveView, Reduce } from './stores.ts';

export interface UseEventsOptions<Event, State> {
  /** The state before the first event. */
  initial: State;
  /** Gives the state behind these events; called outside rendering, with every event once and in order. */
  reduce: Reduce<Event, State>;
}

/**
 * Reduces every event of a feed into one state, from when the component is mounted, or from behind the cursor that the feed
 * was made with. Between two renderings any number of events may come: none is lost, and a frame is drawn once.
 *
 * A component that React hides and shows again goes on where it was. Where events could no longer be told, `gap` says so
 * and the state goes on behind the hole.
 */
export function useEvents<Event, State>(
  feed: Feed<Event>,
  options: UseEventsOptions<Event, State>,
): EventsView<State> {
  const latest = useLatest(options);
  return useStore([feed], () => createEventsStore(feed, options.initial, () => latest.current.reduce));
}

export interface UseLiveStateOptions<Event, State> extends LiveOptions<Event, State> {
  /**
   * Reads the state from the server, past every cache. It is called once the feed stands and behind each gap, and again
   * with growing waits where it fails.
   */
  load: () => Promise<State>;
  /**
   * Gives the state behind these events. The first ones may have happened just before the state was read: take over what
   * an event's entity is, rather than count on what it was.
   */
  reduce: Reduce<Event, State>;
  /** What `load` depends on, such as the page's number: the state is read anew when it changes. */
  loadKey?: string | number | undefined;
}

/** State that is read once and then kept true by every event of a feed; null until it is read. */
export function useLiveState<Event extends FeedItem, State>(
  feed: Feed<Event>,
  options: UseLiveStateOptions<Event, State>,
): LiveView<State> {
  const latest = useLatest(options);
  return useStore([feed, options.loadKey], () => createLiveStore(feed, () => latest.current));
}

/** The value of the last rendering that was shown, for callbacks that come later. */
function useLatest<Value>(value: Value): { readonly current: Value } {
  const ref = useRef(value);
  useInsertionEffect(() => {
    ref.current = value;
  });
  return ref;
}

/** Keeps one store for as long as what it is made of stays the same. */
function useStore<View>(madeOf: readonly unknown[], make: () => Store<View>): View {
  const [held, setHeld] = useState(() => ({ madeOf, store: make() }));
  let { store } = held;
  if (madeOf.some((part, index) => part !== held.madeOf[index])) {
    store = make();
    setHeld({ madeOf, store });
  }
  return useSyncExternalStore(store.subscribe, store.getView, store.getView);
}
