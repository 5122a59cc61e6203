import type { Queryable } from '../store/sql.ts';
import type { FeedItem, FeedOptions } from './feed.ts';
import type { EventHub } from './hub.ts';
import { iterate } from './iterate.ts';
import { openLogFeed, type LogFeedItem } from './log-feed.ts';

/**
 * The live feeds as the API gives them. The promises resolve once the subscription stands: from then on nothing is
 * missed. They reject while the database is away.
 */
export interface Feeds {
  subscribe: (options: FeedOptions) => Promise<AsyncIterableIterator<FeedItem>>;
  /** Ends by itself when the execution is finished and its last line was given. */
  subscribeToLogs: (executionId: string, after: string | null) => Promise<AsyncIterableIterator<LogFeedItem>>;
}

export function createFeeds({ db, hub }: { db: Queryable; hub: EventHub }): Feeds {
  return {
    subscribe: async (options) => iterate(await hub.open(options)),
    subscribeToLogs: async (executionId, after) =>
      iterate(await openLogFeed({ db, hub }, executionId, after)),
  };
}
