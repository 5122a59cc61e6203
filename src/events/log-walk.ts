import type { CooperativeYield } from '../async/cooperative-yield.ts';
import type { StepSource } from '../async/step-source.ts';
import type { EventRow } from '../store/events/event-row.ts';
import { encodeCursor } from './cursor.ts';
import type { FeedEvent, FeedGap, FeedItem, FeedOptions } from './feed.ts';
import { gapTo } from './items.ts';
import type { LogChunks } from './log-chunks.ts';
import type { LogTail, TailView } from './log-tail.ts';
import type { Waiter } from './waiter.ts';

/** Items given to a subscriber in one step: enough to be cheap, few enough to be let go of quickly. */
const STEP_LIMIT = 256;
const NO_TAGS: readonly string[] = [];
const NO_ITEMS: readonly FeedItem[] = [];
const AT_ONCE = Promise.resolve();

export interface Walk {
  chunks: LogChunks;
  tail: LogTail;
  waiter: Waiter;
  cooperativeYield: CooperativeYield;
  itemOf: (event: EventRow, epoch: string) => FeedEvent;
  filter: FeedOptions['filter'];
  usesTags: boolean;
  /** Epoch and generation of the log that `position` belongs to. */
  epoch: string;
  generation: number;
  position: bigint;
  gap: FeedGap | null;
}

/**
 * One subscriber's way through the log: from the window in memory while it keeps up, else from chunks of the log. It waits for
 * its turn before each step, so that a thousand subscribers do not hold up the engine.
 */
export function walkLog(walk: Walk): StepSource<FeedItem> {
  const { chunks, tail, waiter, cooperativeYield, itemOf, filter, usesTags } = walk;
  let { epoch, generation, position, gap } = walk;
  /** Whether the next step lies behind the window, and the items that were read there. */
  let isBehind = false;
  let read = NO_ITEMS;
  const hasMore = (view: TailView | null): boolean =>
    view !== null &&
    (generation !== view.generation || (position < view.window.tip && !(usesTags && view.tags === null)));

  /** Waits for news, then for our turn. */
  function arrival(): Promise<void> {
    if (gap !== null || waiter.isClosed()) return AT_ONCE;
    return isBehind ? readBehindWindow() : ourTurn();
  }

  function ourTurn(): Promise<void> {
    return new Promise((resolve) => {
      const takeTurn = (): void => {
        if (waiter.isClosed()) resolve();
        else cooperativeYield.turn(resolve);
      };
      if (hasMore(tail.view)) takeTurn();
      else waiter.whenNotified(takeTurn);
    });
  }

  /** Looks at the log anew: while it waited for its turn, the subscriber may have been closed, or the log replaced. */
  function step(): readonly FeedItem[] | null {
    if (waiter.isClosed()) return null;
    if (gap !== null) {
      const first = gap;
      gap = null;
      return [first];
    }
    const items = read;
    read = NO_ITEMS;
    const { view } = tail;
    if (view === null || !hasMore(view)) return items;
    isBehind = generation === view.generation && position < view.window.floor;
    if (items.length > 0 || isBehind) return items;
    if (generation !== view.generation) return [skipTo(view, 'CURSOR_INVALID')];
    return take(view, view.window.after(position, STEP_LIMIT));
  }

  async function readBehindWindow(): Promise<void> {
    isBehind = false;
    await ourTurn();
    if (waiter.isClosed()) return;
    try {
      const tip = tail.view?.window.tip ?? position;
      if (!chunks.areAtHand(position, tip)) {
        // A thousand subscribers may wait for this read; each takes a new turn for its events.
        await chunks.behind(position, tip);
        await new Promise<void>((resolve) => {
          cooperativeYield.turn(resolve);
        });
        if (waiter.isClosed()) return;
      }
      read = await itemsBehindWindow(tip);
    } catch (error) {
      // The database is away: the tail looks again soon, and its recovery finds us waiting here.
      tail.reportFailure(error);
      await waiter.wait();
    }
  }

  async function itemsBehindWindow(upTo: bigint): Promise<readonly FeedItem[]> {
    const { view } = tail;
    if (view?.generation !== generation) return NO_ITEMS;
    const { state, events } = await chunks.behind(position, upTo);
    if (state.epoch !== epoch) {
      // Another log, which the tail has not seen yet: what was read has nothing to do with our position.
      chunks.forget();
      await tail.read();
      return NO_ITEMS;
    }
    if (state.prunedThrough > position) return [skipTo(view, 'CURSOR_EXPIRED')];
    // Events that the tail has not seen yet wait for the next step: they may change tags.
    const { tip } = view.window;
    return take(
      view,
      events.filter((event) => event.position <= tip),
    );
  }

  function skipTo(view: TailView, reason: FeedGap['reason']): FeedGap {
    const from = encodeCursor({ epoch, position });
    ({ epoch, generation } = view);
    position = view.window.tip;
    view.window.reached(position);
    return gapTo(reason, from, { epoch, position });
  }

  function take(view: TailView, events: readonly EventRow[]): FeedItem[] {
    const items: FeedItem[] = [];
    for (const event of events) {
      position = event.position;
      const tags = usesTags && event.jobId !== null ? view.tags?.at(event.jobId, position) : undefined;
      if (filter(event, tags ?? NO_TAGS)) items.push(itemOf(event, epoch));
    }
    view.window.reached(position);
    return items;
  }

  return {
    arrival,
    step,
    position: () => (gap === null && read.length === 0 ? encodeCursor({ epoch, position }) : null),
    close: waiter.close,
  };
}
