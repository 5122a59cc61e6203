import { serializeCalls } from '../async/serialize-calls.ts';
import { selfIterator } from '../async/step-source.ts';
import type { StepSource } from '../async/step-source.ts';

/**
 * An iterator that also tells how far it has come, which is further than its last item where others are left out. In the place
 * of `next`, several items can be taken at once: `more` of those that have arrived, and an `arrival` where there are none.
 */
export interface FeedIterator<T> extends AsyncIterableIterator<T> {
  /** As {@link StepSource}'s, by the items taken. */
  position: () => string | null;
  /** As {@link StepSource}'s. Whoever sees it reject is to leave the iterator. */
  arrival: () => Promise<void>;
  /** Up to so many of the items that have arrived; it waits for none. Null at the end. */
  more: (limit: number) => readonly T[] | null;
}

/**
 * A source as the iterator that GraphQL subscriptions want, one item at a time.
 *
 * Written by hand because an async generator cannot be left while it waits: its `return()` would stand in line
 * behind a `next()` that resolves only with the next event, perhaps hours later.
 */
export function iterate<T>(source: StepSource<T>): FeedIterator<T> {
  let ready: readonly T[] = [];
  let taken = 0;
  let done = false;
  let hasArrived = false;

  function arrival(): Promise<void> {
    hasArrived = true;
    return source.arrival();
  }

  function more(limit: number): readonly T[] | null {
    if (hasArrived && taken >= ready.length) step();
    if (done) return null;
    const items = ready.slice(taken, taken + limit);
    taken += items.length;
    return items;
  }

  function step(): void {
    hasArrived = false;
    const items = done ? null : source.step();
    if (items === null) end();
    else [ready, taken] = [items, 0];
  }

  async function next(): Promise<IteratorResult<T>> {
    try {
      for (;;) {
        const items = more(1);
        if (items === null) return { done: true, value: undefined };
        if (items.length > 0) return { done: false, value: items[0] as T };
        await arrival();
      }
    } catch (error) {
      // Nobody calls `return` on an iterator that threw.
      end();
      throw error;
    }
  }

  function end(): void {
    done = true;
    ready = [];
    source.close();
  }

  return {
    next: serializeCalls(next),
    arrival,
    more,
    position: () => (taken < ready.length ? null : (source.position?.() ?? null)),
    return() {
      end();
      return Promise.resolve({ done: true, value: undefined });
    },
    throw(error) {
      end();
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    },
    [Symbol.asyncIterator]: selfIterator,
  };
}
