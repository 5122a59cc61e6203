import type { Queryable } from '../store/statements/sql.ts';
import type { FeedItem, FeedOptions } from './feed.ts';
import type { EventHub } from './hub.ts';
import { type FeedIterator, iterate } from './iterate.ts';
import { openLogFeed, type LogFeedItem } from './log-feed.ts';
import { createRetryWhileAway, type RetryWhileAway } from './retry-while-away.ts';

/**
 * The live feeds as the API gives them. The promises resolve once the subscription stands: from then on nothing is
 * missed. They reject while the database is away.
 */
export interface Feeds {
  subscribe: (options: FeedOptions) => Promise<FeedIterator<FeedItem>>;
  /** Ends by itself when the execution is finished and its last line was given. */
  subscribeToLogs: (executionId: string, after: string | null) => Promise<FeedIterator<LogFeedItem>>;
  /**
   * Reads the rows that an event is delivered with. While the database is away it waits, as the feed itself does: the event would
   * else reach its subscriber as an error without a cursor, and those behind it in memory too. A read that keeps failing
   * though the log can be read is a fault, and is thrown.
   */
  readForEvent: RetryWhileAway;
}

export function createFeeds({ db, hub }: { db: Queryable; hub: EventHub }): Feeds {
  const retryWhileAway = createRetryWhileAway(hub);
  return {
    subscribe: async (options) => iterate(await hub.open(options)),
    subscribeToLogs: async (executionId, after) =>
      iterate(await openLogFeed({ db, hub, retryWhileAway }, executionId, after)),
    readForEvent: retryWhileAway,
  };
}
