import { describe, expect, it, onTestFinished } from 'vitest';
import { followState } from '../../client/src/live-state.ts';
import type { Sink } from '../../client/src/sink.ts';
import { asyncQueue } from '../support/async-queue.ts';

type Event = { __typename: 'ExecutionEvent'; cursor: string };
type Gap = { __typename: 'FeedGap' };
type Data = { executionEvents: Event | Gap };

/** A state that is read when the test allows it, and a feed that the test controls. */
function scene() {
  const shown: string[] = [];
  const loads = asyncQueue<{ answer: (state: string) => void; fail: (error: Error) => void }>(
    'reading of the state',
  );
  const feed: { sink?: Sink<Data>; begin?: () => void; isOver?: boolean } = {};
  const stop = followState<Data, string>({
    subscribe: (sink, { onBegun }) => {
      feed.sink = sink;
      feed.begin = () => onBegun?.('begin');
      return () => (feed.isOver = true);
    },
    load: () =>
      new Promise((resolve, reject) => {
        loads.push({ answer: resolve, fail: reject });
      }),
    onState: (state) => shown.push(`state ${state}`),
    onEvent: ({ cursor }) => shown.push(`event ${cursor}`),
    onLoadFailure: (error) => shown.push(String(error)),
    onError: (error) => shown.push(`over: ${String(error)}`),
    backoff: { initialDelayMs: 1, maxDelayMs: 1 },
  });
  onTestFinished(stop);
  return {
    shown,
    loads,
    feed,
    stop,
    event: (cursor: string) =>
      feed.sink?.next({ data: { executionEvents: { __typename: 'ExecutionEvent', cursor } } }),
    gap: () => feed.sink?.next({ data: { executionEvents: { __typename: 'FeedGap' } } }),
    settled: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

describe('a live state', () => {
  it('is read once the feed is open, and events that arrived meanwhile follow it', async () => {
    const { shown, loads, feed, event, settled } = scene();
    await settled();
    expect(loads.all).toHaveLength(0);
    feed.begin?.();
    const load = await loads.next();
    event('a');
    event('b');
    expect(shown).toEqual([]);
    load.answer('1');
    await settled();
    event('c');
    expect(shown).toEqual(['state 1', 'event a', 'event b', 'event c']);
  });

  it('is read again after a gap, and events that the new state contains are dropped', async () => {
    const { shown, loads, feed, event, gap, settled } = scene();
    feed.begin?.();
    (await loads.next()).answer('1');
    await settled();
    gap();
    event('a');
    const slow = await loads.next();
    gap();
    event('b');
    const last = await loads.next();
    last.answer('3');
    await settled();
    slow.answer('2');
    await settled();
    expect(shown).toEqual(['state 1', 'state 3', 'event b']);
  });

  it('is read again when the server could not send an event', async () => {
    const { shown, loads, feed, settled } = scene();
    feed.begin?.();
    (await loads.next()).answer('1');
    await settled();
    feed.sink?.next({ data: null, errors: [{ message: 'Gone' }] });
    (await loads.next()).answer('2');
    await settled();
    expect(shown).toEqual(['state 1', 'state 2']);
  });

  it('is read again when reading fails, and loses no event', async () => {
    const { shown, loads, feed, event, settled } = scene();
    feed.begin?.();
    const load = await loads.next();
    event('a');
    load.fail(new Error('Away'));
    (await loads.next()).answer('1');
    await settled();
    expect(shown).toEqual(['Error: Away', 'state 1', 'event a']);
  });

  it('reports why no more events come', () => {
    const { shown, feed } = scene();
    feed.sink?.error(new Error('Refused'));
    expect(shown).toEqual(['over: Error: Refused']);
  });

  it('stops at once', async () => {
    const { shown, loads, feed, event, stop, settled } = scene();
    feed.begin?.();
    const load = await loads.next();
    event('a');
    stop();
    load.answer('1');
    await settled();
    expect(shown).toEqual([]);
    expect(feed.isOver).toBe(true);
  });
});
