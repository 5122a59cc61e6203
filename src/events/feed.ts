import type { EventRow } from '../store/events/event-row.ts';

/** Events between two cursors that can no longer be delivered; both cursors are in their public spelling. */
export interface FeedGap {
  type: 'gap';
  reason: 'CURSOR_EXPIRED' | 'CURSOR_INVALID';
  fromCursor: string | null;
  toCursor: string;
}

export interface FeedEvent {
  type: 'event';
  cursor: string;
  event: EventRow;
}

export type FeedItem = FeedEvent | FeedGap;

export interface FeedOptions {
  /** The last cursor seen; absent or null: from now on. */
  after?: string | null | undefined;
  /**
   * Called for every event, before any database work; must be quick and must not throw. `tags` are those that the event's
   * job had at that moment, where `usesTags` asks for them.
   */
  filter: (event: EventRow, tags: readonly string[]) => boolean;
  /** Whether the filter looks at the tags; false where left out. Following them costs memory for each tagged job. */
  usesTags?: boolean;
}
