import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createApolloClient, apolloFeed } from '../../client/src/apollo.ts';
import { watchCatchUp } from '../../client/src/feed/catch-up.ts';
import { onNextFrame } from '../../client/src/feed/frames.ts';
import { transportFeed, type EventOf, type Feed, type FeedGap } from '../../client/src/feed.ts';
import {
  ListJobsDocument,
  WatchExecutionsDocument,
  type WatchExecutionsSubscription,
} from '../../client/src/generated/graphql.ts';
import { createEventsStore, createLiveStore } from '../../client/src/react/stores.ts';
import { createTransport, type TransportOptions } from '../../client/src/transport.ts';
import { createUrqlClient, urqlFeed } from '../../client/src/urql.ts';
import { asyncQueue, type AsyncQueue } from '../support/async-queue.ts';
import { startScriptedServer } from './scripted-server.ts';

type Event = EventOf<WatchExecutionsSubscription>;

const event = (cursor: string) => ({ __typename: 'ExecutionEvent', cursor });
const gap = (toCursor: string) => ({ __typename: 'FeedGap', reason: 'CURSOR_EXPIRED', toCursor });
const INTERNAL = { message: 'Internal error', extensions: { code: 'INTERNAL_ERROR' } };
const REFUSED = { message: 'Not for you', extensions: { code: 'FORBIDDEN' } };

const FEEDS = {
  transport: (options: TransportOptions, after: string | null) => {
    const transport = createTransport(options);
    onTestFinished(transport.close);
    return transportFeed(transport, WatchExecutionsDocument, { after });
  },
  urql: (options: TransportOptions, after: string | null) => {
    const { client, transport } = createUrqlClient(options);
    onTestFinished(transport.close);
    return urqlFeed(client, WatchExecutionsDocument, { after });
  },
  'Apollo Client': (options: TransportOptions, after: string | null) => {
    const { client, transport } = createApolloClient(options);
    onTestFinished(transport.close);
    return apolloFeed(client, WatchExecutionsDocument, { after });
  },
};
type Through = keyof typeof FEEDS;

async function scene({ through, after }: { through?: Through; after?: string } = {}) {
  const server = await startScriptedServer();
  const backoff = { initialDelayMs: 1, maxDelayMs: 5_000 };
  const feed = FEEDS[through ?? 'transport'](
    { url: server.url, webSocket: WebSocket, backoff },
    after ?? null,
  );
  return { server, feed };
}

/** What a reader receives, in order: cursors, gaps and statuses. */
function listen(feed: Feed<Event>, after?: string | null) {
  const heard = asyncQueue<string | FeedGap>('word of the feed');
  const stop = feed.read(
    {
      onBegun: () => {
        heard.push('begun');
      },
      onEvents: (events) => {
        for (const { cursor } of events) heard.push(cursor);
      },
      onGap: heard.push,
      onStatus: (status, error) => {
        heard.push(error === null ? status : `${status}: ${error.message}`);
      },
    },
    after,
  );
  return { heard, stop };
}

async function next(heard: Pick<AsyncQueue<unknown>, 'next'>, ...words: unknown[]): Promise<void> {
  for (const word of words) expect(await heard.next()).toEqual(word);
}

describe.each(Object.keys(FEEDS) as Through[])('a feed through %s', (through) => {
  it('sends every event to all its readers over one subscription, and reports its status', async () => {
    const { server, feed } = await scene({ through });
    const readers = [listen(feed), listen(feed)];
    const first = await server.subscribed.next();
    first.item(gap('begin'));
    for (const { heard } of readers) await next(heard, 'connecting', 'begun', 'live');
    first.item(event('a'));
    first.item(event('b'));
    for (const { heard } of readers) await next(heard, 'a', 'b');
    first.close();
    for (const { heard } of readers) await next(heard, 'connecting', 'catchingUp');
    const second = await server.subscribed.next();
    expect(second.variables).toMatchObject({ after: 'b' });
    second.item(event('c'));
    for (const { heard } of readers) await next(heard, 'c', 'live');
    expect(server.subscribed.all).toHaveLength(2);
  });

  it('reports gaps in their place, and reports an event that the server could not send', async () => {
    const { server, feed } = await scene({ through, after: 'x' });
    const { heard } = listen(feed);
    const failed = { data: null, errors: [INTERNAL] };
    const first = await server.subscribed.next();
    first.item(event('a'));
    first.item(gap('b'));
    first.item(event('c'));
    first.next(failed);
    for (let redos = 1; redos <= 3; redos += 1) {
      const again = await server.subscribed.next();
      again.next(failed);
      if (redos === 3) again.item(event('d'));
    }
    const told = async () => await heard.nextWhere((word) => typeof word === 'object' || word.length === 1);
    expect(await told()).toBe('a');
    expect(await told()).toEqual({ reason: 'CURSOR_EXPIRED', errors: [] });
    expect(await told()).toBe('c');
    expect(await told()).toMatchObject({ reason: 'EVENT_FAILED', errors: [{ message: 'Internal error' }] });
    expect(await told()).toBe('d');
  });

  it('keeps an event that has an error beside its data', async () => {
    const { server, feed } = await scene({ through, after: 'x' });
    const { heard } = listen(feed);
    (await server.subscribed.next()).next({ data: { executionEvents: event('a') }, errors: [INTERNAL] });
    expect(await heard.nextWhere((word) => word === 'a')).toBe('a');
  });

  it('reports why it failed', async () => {
    const { server, feed } = await scene({ through });
    const { heard } = listen(feed);
    (await server.subscribed.next()).error(REFUSED);
    expect(await heard.nextWhere((word) => JSON.stringify(word).includes('failed'))).toMatch(/Not for you/);
  });
});

describe('a reader', () => {
  it('that comes back continues at its place, whatever the others have received meanwhile', async () => {
    const { server, feed } = await scene();
    const [staying, leaving] = [listen(feed), listen(feed)];
    const first = await server.subscribed.next();
    first.item(gap('begin'));
    first.item(event('a'));
    await leaving.heard.nextWhere((word) => word === 'a');
    const behind = leaving.stop();
    expect(behind).toBe('a');
    first.item(event('b'));
    await staying.heard.nextWhere((word) => word === 'b');

    const back = listen(feed, behind);
    const second = await server.subscribed.next();
    expect(second.variables).toEqual({ after: 'a' });
    second.item(event('b'));
    await back.heard.nextWhere((word) => word === 'b');
    first.item(event('c'));
    await staying.heard.nextWhere((word) => word === 'c');
  });

  it('that leaves and comes back at once, as in React, needs no new subscription', async () => {
    const { server, feed } = await scene();
    listen(feed).stop();
    const { heard } = listen(feed);
    const first = await server.subscribed.next();
    first.item(gap('begin'));
    first.item(event('a'));
    await heard.nextWhere((word) => word === 'a');
    expect(server.subscribed.all).toHaveLength(1);
    expect(server.ended.all).toEqual([]);
  });

  it('that leaves last ends the subscription a little later', async () => {
    const { server, feed } = await scene();
    const { stop } = listen(feed);
    await server.subscribed.next();
    stop();
    await server.ended.next();
  });
});

it('is refused when the document is not a feed', () => {
  const transport = createTransport({ url: 'http://127.0.0.1:1/graphql', webSocket: WebSocket });
  expect(() => transportFeed(transport, ListJobsDocument, {})).toThrow(/no subscription/);
});

describe('the state of a component', () => {
  it('has every event once, also from the time while React had hidden it', async () => {
    const { server, feed } = await scene();
    const other = listen(feed);
    const store = createEventsStore<Event, string[]>(feed, [], () => (cursors, events) => [
      ...cursors,
      ...events.map(({ cursor }) => cursor),
    ]);
    const shown = asyncQueue<string>('view');
    const show = () => {
      shown.push(store.getView().state.join(''));
    };
    const hide = store.subscribe(show);
    const first = await server.subscribed.next();
    first.item(gap('begin'));
    first.item(event('a'));
    await shown.nextWhere((text) => text === 'a');
    hide();
    first.item(event('b'));
    await other.heard.nextWhere((word) => word === 'b');
    store.subscribe(show);
    const second = await server.subscribed.next();
    expect(second.variables).toEqual({ after: 'a' });
    second.item(event('b'));
    await shown.nextWhere((text) => text === 'ab');
    expect(store.getView()).toMatchObject({ state: ['a', 'b'], gap: null });
  });

  it('is read again after a gap', async () => {
    const { server, feed } = await scene();
    let loads = 0;
    const store = createLiveStore<Event, string>(feed, () => ({
      load: () => Promise.resolve(`state ${(loads += 1)}:`),
      reduce: (state, events) => state + events.map(({ cursor }) => cursor).join(''),
    }));
    const shown = asyncQueue<string | null>('view');
    store.subscribe(() => {
      shown.push(store.getView().state);
    });
    const first = await server.subscribed.next();
    first.item(gap('begin'));
    await shown.nextWhere((text) => text === 'state 1:');
    first.item(event('a'));
    await shown.nextWhere((text) => text === 'state 1:a');
    first.item(gap('b'));
    first.item(event('c'));
    await shown.nextWhere((text) => text === 'state 2:c');
    expect(store.getView().gap).toMatchObject({ reason: 'CURSOR_EXPIRED' });
  });
});

describe('a frame', () => {
  it('of a page that is not drawn runs after a second, once', () => {
    vi.useFakeTimers();
    vi.stubGlobal('requestAnimationFrame', () => 1);
    onTestFinished(() => {
      vi.useRealTimers();
      vi.unstubAllGlobals();
    });
    const call = vi.fn();
    onNextFrame(call);
    vi.advanceTimersByTime(999);
    expect(call).not.toHaveBeenCalled();
    vi.advanceTimersByTime(10_000);
    expect(call).toHaveBeenCalledTimes(1);
  });
});

describe('a feed that catches up', () => {
  it.each([
    {
      name: 'is live once the age of its newest event no longer shrinks',
      ages: [9_000, 4_000, 100, 90],
      looks: 4,
    },
    { name: 'is live when nothing comes', ages: [9_000, 9_500], looks: 2 },
    { name: 'is live where events do not tell when they happened', ages: [NaN], looks: 1 },
    { name: 'needs no right clock', ages: [-50_000, -55_000, -55_010], looks: 3 },
  ])('$name', ({ ages, looks }) => {
    vi.useFakeTimers();
    onTestFinished(() => {
      vi.useRealTimers();
    });
    let look = 0;
    const onCaughtUp = vi.fn();
    watchCatchUp(() => Date.now() - (ages[look++] ?? NaN), onCaughtUp);
    vi.advanceTimersByTime(500 * (looks - 1));
    expect(onCaughtUp).not.toHaveBeenCalled();
    vi.advanceTimersByTime(500);
    expect(onCaughtUp).toHaveBeenCalledTimes(1);
  });
});
