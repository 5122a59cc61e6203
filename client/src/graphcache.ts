import type { CacheExchangeOpts } from '@urql/exchange-graphcache';
import { embeddedTypes } from './generated/schema-facts.ts';
import { introspection } from './generated/introspection.ts';

/**
 * What urql's normalised cache must know of the schema: its types, and which objects have no id and belong to the one that
 * holds them. `createUrqlClient({ url, exchanges: [cacheExchange(graphcacheOptions)] })`.
 *
 * The page of a job or an execution that a list has shown begins with what the list has of it. Lists are kept page by page,
 * as the documents of this package ask for them.
 */
export const graphcacheOptions: Partial<CacheExchangeOpts> = {
  schema: introspection,
  keys: {
    ...Object.fromEntries(embeddedTypes.map((name) => [name, () => null])),
    SchedulerInstance: ({ instanceId }) => (typeof instanceId === 'string' ? instanceId : null),
  },
  resolvers: {
    Query: {
      job: (_, { id }) => ({ __typename: 'Job', id: id as string }),
      execution: (_, { id }) => ({ __typename: 'Execution', id: id as string }),
    },
  },
};
