import { callSafely } from '../sink.ts';
import type { FeedReader } from './feed-reader.ts';

/** The readers of one subscription, each with the cursor behind the last item that it was told. */
export interface Readers<Event> {
  readonly size: number;
  add: (reader: FeedReader<Event>, cursor: string | null) => void;
  /** @returns the reader's cursor */
  remove: (reader: FeedReader<Event>) => string | null;
  /** Tells each reader. Where a cursor is given, it becomes theirs. */
  tell: (call: (reader: FeedReader<Event>) => void, cursor?: string | null) => void;
}

export function createReaders<Event>(): Readers<Event> {
  const cursors = new Map<FeedReader<Event>, string | null>();
  return {
    get size() {
      return cursors.size;
    },
    add(reader, cursor) {
      cursors.set(reader, cursor);
    },
    remove(reader) {
      const cursor = cursors.get(reader) ?? null;
      cursors.delete(reader);
      return cursor;
    },
    tell(call, cursor) {
      for (const reader of [...cursors.keys()]) {
        // A reader may leave, and take others along, while it is told.
        if (!cursors.has(reader)) continue;
        if (cursor !== undefined) cursors.set(reader, cursor);
        callSafely(() => {
          call(reader);
        });
      }
    },
  };
}
