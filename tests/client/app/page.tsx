/** A page like a dashboard. Its address names the client that follows the server. */
import { ApolloProvider, useApolloClient } from '@apollo/client/react';
import { StrictMode, useRef, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider, useClient } from 'urql';
import { createApolloClient } from 'job-scheduler-client/apollo';
import {
  ListExecutionsDocument,
  WatchExecutionsDocument,
  type ListExecutionsQuery,
  type WatchExecutionsSubscription,
} from 'job-scheduler-client/documents';
import type { EventOf, Feed } from 'job-scheduler-client/feed';
import { useFeed as useApolloFeed } from 'job-scheduler-client/react/apollo';
import { useEvents, useLiveState } from 'job-scheduler-client/react';
import { useFeed as useUrqlFeed } from 'job-scheduler-client/react/urql';
import { createUrqlClient } from 'job-scheduler-client/urql';

type Event = EventOf<WatchExecutionsSubscription>;
type Load = () => Promise<ListExecutionsQuery | undefined>;

const options = { url: '/graphql', backoff: { initialDelayMs: 10, maxDelayMs: 200 } };

function Shown({ id, value }: { id: string; value: unknown }) {
  return <pre id={id}>{typeof value === 'string' ? value : JSON.stringify(value)}</pre>;
}

/** Keeps the cursor of every event, and shows the number of renders. */
function Events({ feed, id }: { feed: Feed<Event>; id: string }) {
  const draws = useRef(0);
  draws.current += 1;
  const { state, status, gap, error, cursor } = useEvents<Event, string[]>(feed, {
    initial: [],
    reduce: (cursors, events) => [...cursors, ...events.map((event) => event.cursor)],
  });
  return (
    <>
      <Shown id={id} value={state} />
      <Shown id={`${id}-draws`} value={draws.current} />
      <Shown id={`${id}-view`} value={{ status, gap, error: error?.message ?? null, cursor }} />
    </>
  );
}

/** Counts executions by their status, from a list that events keep up to date. */
function Statuses({ feed, load }: { feed: Feed<Event>; load: Load }) {
  const { state } = useLiveState<Event, ReadonlyMap<string, string>>(feed, {
    load: async () => {
      const data = await load();
      if (!data) throw new Error('The list could not be read');
      return new Map(data.executions.nodes.map(({ id, status }) => [id, status]));
    },
    reduce: (statuses, events) =>
      new Map([
        ...statuses,
        ...events.map(({ execution }): [string, string] => [execution.id, execution.status]),
      ]),
  });
  return <Shown id="statuses" value={[...(state ?? [])].sort()} />;
}

function Page({ feed, load }: { feed: Feed<Event>; load: Load }) {
  return (
    <>
      <Events feed={feed} id="events" />
      <Events feed={feed} id="others" />
      <Statuses feed={feed} load={load} />
    </>
  );
}

function UrqlPage() {
  const client = useClient();
  const feed = useUrqlFeed(WatchExecutionsDocument, {});
  const load = async () =>
    (await client.query(ListExecutionsDocument, { first: 100 }, { requestPolicy: 'network-only' })).data;
  return <Page feed={feed} load={load} />;
}

function ApolloPage() {
  const client = useApolloClient();
  const feed = useApolloFeed(WatchExecutionsDocument, {});
  const load = async () =>
    (
      await client.query({
        query: ListExecutionsDocument,
        variables: { first: 100 },
        fetchPolicy: 'network-only',
      })
    ).data;
  return <Page feed={feed} load={load} />;
}

const PAGES: Record<string, () => ReactNode> = {
  urql: () => (
    <Provider value={createUrqlClient(options).client}>
      <UrqlPage />
    </Provider>
  ),
  apollo: () => (
    <ApolloProvider client={createApolloClient(options).client}>
      <ApolloPage />
    </ApolloProvider>
  ),
};

const page = PAGES[location.hash.slice(1)];
const root = document.getElementById('root');
if (page && root) createRoot(root).render(<StrictMode>{page()}</StrictMode>);
