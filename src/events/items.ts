import type { EventRow } from '../store/events/event-row.ts';
import { encodeCursor } from './cursor.ts';
import type { FeedEvent, FeedGap } from './feed.ts';

/** Makes one item for one event, whichever subscriber gets it, so that subscribers can share what is made of the item. */
export function createItems(): (event: EventRow, epoch: string) => FeedEvent {
  const items = new WeakMap<EventRow, FeedEvent>();
  return (event, epoch) => {
    let item = items.get(event);
    if (!item) {
      item = { type: 'event', cursor: encodeCursor({ epoch, position: event.position }), event };
      items.set(event, item);
    }
    return item;
  };
}

export function gapTo(
  reason: FeedGap['reason'],
  fromCursor: string,
  to: { epoch: string; position: bigint },
): FeedGap {
  return { type: 'gap', reason, fromCursor, toCursor: encodeCursor(to) };
}
