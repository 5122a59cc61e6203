import type { GraphQLFormattedError } from 'graphql';

/**
 * `connecting`: no event comes until there is a connection. `catchingUp`: what happened in the meantime comes now. `live`:
 * events come as they happen. `ended`: the server has said that no more will come. `failed`: the server has refused it.
 */
export type FeedStatus = 'connecting' | 'catchingUp' | 'live' | 'ended' | 'failed';

/** A hole in a feed: events that a reader is not told of. */
export interface FeedGap {
  /** The server's reason, a value of `FeedGapReason`; `EVENT_FAILED` where the server could not tell one event. */
  reason: string;
  /** The errors of an event that could not be told, else empty. */
  errors: readonly GraphQLFormattedError[];
}

/** Hears of a feed, in the order of the log. */
export interface FeedReader<Event> {
  /** Called once, when the feed stands: state that is read from then on has no hole between itself and the events. */
  onBegun?: (() => void) | undefined;
  /** Called at most once a frame. The cursor is that of the last of these events. */
  onEvents: (events: readonly Event[], cursor: string) => void;
  /** The feed goes on behind it; read the state anew. The cursor is null where the hole does not tell where it ends. */
  onGap?: ((gap: FeedGap, cursor: string | null) => void) | undefined;
  /** Called at once with the status as it is, and then with each change. The error says why a feed has failed. */
  onStatus?: ((status: FeedStatus, error: Error | null) => void) | undefined;
}
