import type { FeedEvent, FeedItem } from '../../../events/feed.ts';
import { builder } from '../../builder.ts';
import { FeedGap } from './feed-gap.ts';

/** Of the field `cursor` of every event. */
export const EVENT_CURSOR =
  'Pass the last one seen as `after` to resume with nothing lost and nothing repeated.';

/** Of the argument `after` of every feed. */
export const FEED_AFTER =
  'Cursor of the last event seen: the feed goes on behind it, or begins with a FeedGap where it cannot.';

type EventType = ReturnType<ReturnType<typeof builder.objectRef<FeedEvent>>['implement']>;

/** The union of what one feed delivers: its events and gaps. */
export function feedItem(name: string, description: string, event: EventType) {
  return builder.unionType(name, {
    description,
    types: [event, FeedGap],
    resolveType: (item: FeedItem) => (item.type === 'gap' ? FeedGap : event),
  });
}
