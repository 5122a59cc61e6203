import { itself } from '../itself.ts';

/** Something that gives items in steps until it is closed. */
export interface StepSource<T> {
  /** The next items; null at the end. */
  next: () => Promise<readonly T[] | null>;
  /**
   * The cursor up to which everything was given, or is not to be given; null while there is something to give before it.
   * Absent where items have no cursors.
   */
  position?: () => string | null;
  close: () => void;
}

/** An iterator that also tells how far it has come, which is further than its last item where others are left out. */
export interface FeedIterator<T> extends AsyncIterableIterator<T> {
  /** As {@link StepSource}'s, by the items taken. */
  position: () => string | null;
  /** Up to so many of the items that are at hand behind the last one given; none is waited for. */
  more: (limit: number) => readonly T[];
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

  async function next(): Promise<IteratorResult<T>> {
    try {
      while (!done && taken >= ready.length) {
        const step = await source.next();
        if (step === null) end();
        else [ready, taken] = [step, 0];
      }
      if (done) return { done: true, value: undefined };
      const value = ready[taken] as T;
      taken += 1;
      return { done: false, value };
    } catch (error) {
      // Nobody calls `return` on an iterator that threw.
      end();
      throw error;
    } finally {
      unanswered -= 1;
    }
  }

  function end(): void {
    done = true;
    ready = [];
    source.close();
  }

  /** `next` calls that overlap are answered in order. */
  let last: Promise<unknown> = Promise.resolve();
  let unanswered = 0;
  return {
    next() {
      unanswered += 1;
      const result = unanswered === 1 ? next() : last.then(next, next);
      last = result;
      return result;
    },
    more(limit) {
      const items = ready.slice(taken, taken + limit);
      taken += items.length;
      return items;
    },
    position: () => (taken < ready.length ? null : (source.position?.() ?? null)),
    return() {
      end();
      return Promise.resolve({ done: true, value: undefined });
    },
    throw(error) {
      end();
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    },
    [Symbol.asyncIterator]: itself,
  };
}
