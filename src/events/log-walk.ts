import type { CooperativeYield } from '../async/cooperative-yield.ts';
import type { StepSource } from '../async/step-source.ts';
import type { EventRow } from '../store/events/event-row.ts';
import { encodeCursor } from './cursor.ts';
import type { FeedEvent, FeedGap, FeedItem, FeedOptions } from './feed.ts';
import { gapTo } from './items.ts';
import type { LogChunks } from './log-chunks.ts';
import type { LogTail } from './log-tail.ts';
import type { TailView } from './log-view.ts';
import type { Waiter } from './waiter.ts';

/** Items given to a subscriber in one step: enough to be cheap, few enough to be freed quickly. */
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
 *
 * @param walk is kept, and moved along; no function of its own for each of its parts, as there is one for each subscriber
 */
export function walkLog(walk: Walk): StepSource<FeedItem> {
  const { chunks, tail, waiter } = walk;
  /** Whether the next step lies behind the window, and the items that were read there. */
  let isBehind = false;
  let read = NO_ITEMS;

  /** Waits for news, then for our turn. */
  function arrival(): Promise<void> {
    if (walk.gap !== null || waiter.isClosed()) return AT_ONCE;
    return isBehind ? readBehindWindow() : newsAndTurn(walk);
  }

  /** Looks at the log anew: while it waited for its turn, the subscriber may have been closed, or the log replaced. */
  function step(): readonly FeedItem[] | null {
    if (waiter.isClosed()) return null;
    const { gap } = walk;
    if (gap !== null) {
      walk.gap = null;
      return [gap];
    }
    const items = read;
    read = NO_ITEMS;
    const { view } = tail;
    if (view === null || !hasMore(walk, view)) return items;
    const isSameLog = walk.generation === view.generation;
    isBehind = isSameLog && walk.position < view.window.floor;
    if (items.length > 0 || isBehind) return items;
    if (!isSameLog) return [skipTo(walk, view, 'CURSOR_INVALID')];
    return take(walk, view, view.window.after(walk.position, STEP_LIMIT));
  }

  async function readBehindWindow(): Promise<void> {
    isBehind = false;
    await newsAndTurn(walk);
    if (waiter.isClosed()) return;
    try {
      const tip = tail.view?.window.tip ?? walk.position;
      if (!chunks.areAtHand(walk.position, tip)) {
        // A thousand subscribers may wait for this read; each takes a new turn for its events.
        await chunks.behind(walk.position, tip);
        await new Promise<void>((resolve) => {
          takeTurn(walk, resolve);
        });
        if (waiter.isClosed()) return;
      }
      read = await itemsBehindWindow(walk, tip);
    } catch (error) {
      // The database is away: the tail looks again soon, and its recovery finds us waiting here.
      tail.reportFailure(error);
      await waiter.wait();
    }
  }

  return {
    arrival,
    step,
    position: () => (walk.gap === null && read.length === 0 ? encodeCursor(walk) : null),
    close: waiter.close,
  };
}

function hasMore({ generation, position, usesTags }: Walk, view: TailView): boolean {
  if (generation !== view.generation) return true;
  return position < view.window.tip && !(usesTags && view.tags === null);
}

function newsAndTurn(walk: Walk): Promise<void> {
  const { tail, waiter } = walk;
  return new Promise((resolve) => {
    const { view } = tail;
    if (view !== null && hasMore(walk, view)) takeTurn(walk, resolve);
    else
      waiter.whenNotified(() => {
        takeTurn(walk, resolve);
      });
  });
}

/** A subscriber that is closed waits for no turn: its step ends it. */
function takeTurn({ waiter, cooperativeYield }: Walk, run: () => void): void {
  if (waiter.isClosed()) run();
  else cooperativeYield.turn(run);
}

async function itemsBehindWindow(walk: Walk, upTo: bigint): Promise<readonly FeedItem[]> {
  const { chunks, tail } = walk;
  const { view } = tail;
  if (view?.generation !== walk.generation) return NO_ITEMS;
  const { state, events } = await chunks.behind(walk.position, upTo);
  if (state.epoch !== walk.epoch) {
    // Another log, which the tail has not seen yet: what was read has nothing to do with our position.
    chunks.forget();
    await tail.read();
    return NO_ITEMS;
  }
  if (state.prunedThrough > walk.position) return [skipTo(walk, view, 'CURSOR_EXPIRED')];
  // Events that the tail has not seen yet wait for the next step: they may change tags.
  const { tip } = view.window;
  return take(
    walk,
    view,
    events.filter((event) => event.position <= tip),
  );
}

/** Moves to the tip, past what cannot be read any more. */
function skipTo(walk: Walk, { epoch, generation, window }: TailView, reason: FeedGap['reason']): FeedGap {
  const from = encodeCursor(walk);
  walk.epoch = epoch;
  walk.generation = generation;
  walk.position = window.tip;
  window.reached(walk.position);
  return gapTo(reason, from, walk);
}

/** Moves behind these events, and takes those that the subscriber wants. */
function take(walk: Walk, view: TailView, events: readonly EventRow[]): FeedItem[] {
  const { epoch, filter, itemOf, usesTags } = walk;
  walk.position = events.at(-1)?.position ?? walk.position;
  view.window.reached(walk.position);
  return events
    .filter((event) => filter(event, usesTags ? tagsOfJob(event, view) : NO_TAGS))
    .map((event) => itemOf(event, epoch));
}

/** The tags that the event's job had at the event. */
function tagsOfJob({ jobId, position }: EventRow, { tags }: TailView): readonly string[] {
  return (jobId === null ? undefined : tags?.at(jobId, position)) ?? NO_TAGS;
}
