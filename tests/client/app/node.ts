/** A script as a user writes it. It must compile strictly and run without a server and without a WebSocket. */
import { createApolloClient } from 'job-scheduler-client/apollo';
import { scalars } from 'job-scheduler-client/codegen';
import {
  ListJobsDocument,
  WatchExecutionsDocument,
  type WatchExecutionsSubscription,
} from 'job-scheduler-client/documents';
import { createFeed, transportFeed } from 'job-scheduler-client/feed';
import { graphcacheOptions } from 'job-scheduler-client/graphcache';
import { followState } from 'job-scheduler-client/live-state';
import { createTransport } from 'job-scheduler-client/transport';
import { createUrqlClient } from 'job-scheduler-client/urql';
import { cacheExchange } from '@urql/exchange-graphcache';
import { version } from 'graphql';

declare const process: { stdout: { write: (text: string) => void } };
class NoSocket {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  close = () => undefined;
  addEventListener = () => undefined;
}
const options = { url: 'http://127.0.0.1:1/graphql', webSocket: NoSocket };
const transport = createTransport(options);
const urql = createUrqlClient({ ...options, exchanges: [cacheExchange(graphcacheOptions)] });
const apollo = createApolloClient(options);

export async function names(): Promise<string[]> {
  const variables = { where: { status: ['ACTIVE' as const] } };
  const { data } = await urql.client.query(ListJobsDocument, variables);
  const again = await apollo.client.query({ query: ListJobsDocument, variables });
  return (data ?? again.data)?.jobs.nodes.map(({ name }) => name) ?? [];
}
export const follow = () =>
  followState<WatchExecutionsSubscription, string[]>({
    subscribe: (sink, more) =>
      transport.subscribe({ query: WatchExecutionsDocument, variables: {} }, sink, more),
    load: names,
    onState: () => undefined,
    onEvent: ({ execution }) => execution.job.name,
  });

for (const { close } of [transport, urql.transport, apollo.transport]) close();
apollo.client.stop();
process.stdout.write(
  JSON.stringify({
    graphql: version,
    scalars,
    feeds: [createFeed, transportFeed].map((make) => typeof make),
  }),
);
