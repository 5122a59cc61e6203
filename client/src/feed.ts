export { createFeed, type EventOf, type Feed, type FeedOptions } from './feed/create-feed.ts';
export type { FeedGap, FeedReader, FeedStatus } from './feed/feed-reader.ts';
export { transportFeed } from './feed/shared-feeds.ts';
