import type { FeedPlan } from '../resume-plan.ts';
import type { Result } from '../sink.ts';
import type { FeedGap } from './feed-reader.ts';
import { onNextFrame } from './frames.ts';

/** An event or a gap, and the cursor behind it; null where a gap does not tell it. */
export type FeedItem<Event> = { cursor: string; event: Event } | { cursor: string | null; gap: FeedGap };

/** Events in a row that are told at once, or one gap. */
export type Batch<Event> = { cursor: string; events: Event[] } | { cursor: string | null; gap: FeedGap };

/** Reads an item from a result, under the names that the document gives. */
export function itemOf<Event>(plan: FeedPlan, { data, errors = [] }: Result<object>): FeedItem<Event> {
  const item = (data as Fields | null | undefined)?.[plan.item] as Fields | null | undefined;
  const cursor = item?.[plan.cursor];
  if (typeof cursor === 'string') return { cursor, event: item as Event };
  const toCursor = item?.[plan.toCursor];
  if (typeof toCursor !== 'string') return { cursor: null, gap: { reason: 'EVENT_FAILED', errors } };
  const reason = typeof item?.['reason'] === 'string' ? item['reason'] : 'UNKNOWN';
  return { cursor: toCursor, gap: { reason, errors: [] } };
}

type Fields = Readonly<Record<string, unknown>>;

/** Items are handed on sooner than with the next frame when so many wait, for pages that are never drawn. */
const MAX_WAITING = 1_000;

export interface Batches<Event> {
  push: (item: FeedItem<Event>) => void;
  /** Hands on what waits. */
  flush: () => void;
  /** Forgets what waits. */
  drop: () => void;
}

/** Collects items until the next frame, and hands them on in order as few batches. */
export function createBatches<Event>(tell: (batch: Batch<Event>) => void): Batches<Event> {
  let waiting: Batch<Event>[] = [];
  let count = 0;
  let cancelFrame: (() => void) | undefined;

  function drop(): Batch<Event>[] {
    cancelFrame?.();
    cancelFrame = undefined;
    const dropped = waiting;
    waiting = [];
    count = 0;
    return dropped;
  }

  function flush(): void {
    for (const batch of drop()) tell(batch);
  }

  return {
    push(item) {
      count += 1;
      const last = waiting.at(-1);
      if ('gap' in item) waiting.push(item);
      else if (last && 'events' in last) {
        last.events.push(item.event);
        last.cursor = item.cursor;
      } else waiting.push({ cursor: item.cursor, events: [item.event] });
      if (count >= MAX_WAITING) flush();
      else cancelFrame ??= onNextFrame(flush);
    },
    flush,
    drop,
  };
}
