import type { EventRow } from '../store/events/event-log.ts';
import { createRecentCounts } from '../async/recent-counts.ts';
import type { Queryable } from '../store/statements/sql.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { FeedEvent, FeedGap, FeedItem, FeedOptions } from './feed.ts';
import type { StepSource } from '../async/step-source.ts';
import { createLogChunks, type LogChunks } from './log-chunks.ts';
import { createLogTail, type LogTail, type TailView } from './log-tail.ts';
import { createCooperativeYield, type CooperativeYield } from '../async/cooperative-yield.ts';
import { createWaiter, type Waiter } from './waiter.ts';

export interface HubOptions {
  db: Queryable;
  /** How often the log is looked at when no wake-up comes. */
  pollIntervalMs: number;
  /** Events kept in memory for those who keep up. */
  windowCapacity?: number;
  /** Whether this process has work under way that goes before what subscribers are told of it. */
  isPressed?: () => boolean;
  onError: (error: unknown) => void;
}

/**
 * The in-process end of the event log: tails it while anybody is subscribed, and lets each subscriber walk it at its
 * own pace. A subscriber holds a position, not a queue: one that does not read costs nothing, and later reads on from
 * the log.
 */
export interface EventHub {
  /** Opens a subscription; from then on nothing is missed, whenever its first `next` comes. */
  open: (options: FeedOptions) => Promise<StepSource<FeedItem>>;
  /** Says that the log has probably grown. */
  wake: () => void;
  /**
   * After a subscriber's own read failed: waits until the log can be read, a second or less where the database was never
   * away. False where the hub stops first.
   */
  recovered: (error: unknown) => Promise<boolean>;
  /** The epoch of the cursors given out now. Rejects while the log cannot be read. */
  epoch: () => Promise<string>;
  /** Closes every subscription. */
  stop: () => Promise<void>;
}

/** Items given to a subscriber in one step: enough to be cheap, few enough to be let go of quickly. */
const STEP_LIMIT = 256;
const WINDOW_CAPACITY = 8_192;
/**
 * With more events than these in a fifth of a second executions are being worked off, by another instance perhaps, and
 * subscribers take what is left of the time. Where calls wait for a place here, as many in a second: outcomes are then recorded
 * a few times a second, and between two records the log is quiet.
 */
const BUSY_EVENTS = 200;
const BUSY_WINDOW_MS = 200;
const PRESSED_WINDOW_MS = 1_000;
const NO_TAGS: readonly string[] = [];
const NO_ITEMS: readonly FeedItem[] = [];
const AT_ONCE = Promise.resolve();

export function createEventHub({
  db,
  pollIntervalMs,
  windowCapacity = WINDOW_CAPACITY,
  isPressed = () => false,
  onError,
}: HubOptions): EventHub {
  const waiters = new Set<Waiter>();
  const chunks = createLogChunks(db);
  const recent = createRecentCounts(BUSY_WINDOW_MS);
  const lastSecond = createRecentCounts(PRESSED_WINDOW_MS);
  const cooperativeYield = createCooperativeYield({
    isBusy: () => recent.of('events') > BUSY_EVENTS || (isPressed() && lastSecond.of('events') > BUSY_EVENTS),
  });
  const itemOf = createItems();
  let stopped = false;
  let generation = 0;
  const tail = createLogTail({
    db,
    pollIntervalMs,
    windowCapacity,
    isWanted: () => waiters.size > 0,
    onEvents: (count) => {
      recent.note('events', count);
      lastSecond.note('events', count);
    },
    onChange: () => {
      const current = tail.view?.generation ?? generation;
      if (current !== generation) chunks.forget();
      generation = current;
      for (const waiter of waiters) waiter.notify();
    },
    onError,
  });

  async function open({ after, filter, usesTags = false }: FeedOptions): Promise<StepSource<FeedItem>> {
    if (stopped) throw new Error('The event hub is stopped.');
    const waiter = addWaiter();
    try {
      if (usesTags) tail.followTags();
      const view = await readView();
      const start = await startingPoint(view, after ?? null, chunks);
      view.window.reached(start.position);
      return walkLog({ chunks, tail, waiter, cooperativeYield, itemOf, filter, usesTags, ...view, ...start });
    } catch (error) {
      waiter.close();
      throw error;
    }
  }

  function addWaiter(): Waiter {
    const waiter = createWaiter(() => {
      waiters.delete(waiter);
      if (waiters.size > 0) return;
      tail.forget();
      chunks.forget();
    });
    waiters.add(waiter);
    return waiter;
  }

  async function recovered(error: unknown): Promise<boolean> {
    if (stopped) return false;
    const waiter = addWaiter();
    // Of a thousand subscribers whose reads fail together, one tells.
    if (!tail.failing) tail.reportFailure(error);
    while (tail.failing && !waiter.isClosed()) await waiter.wait();
    waiter.close();
    return !stopped;
  }

  /** Walks to the tip first: the window may lag behind the log by as much as a lost wake-up. */
  async function readView(): Promise<TailView> {
    await tail.read();
    if (tail.view === null || tail.failing) throw unreadable(tail.lastError);
    return tail.view;
  }

  return {
    open,
    wake() {
      if (waiters.size > 0) void tail.read();
    },
    recovered,
    epoch: async () => (tail.view ?? (await readView())).epoch,
    async stop() {
      stopped = true;
      for (const waiter of waiters) waiter.close();
      await tail.stop();
    },
  };
}

/** Where a subscriber begins, and the gap that it has to be told of first. */
async function startingPoint(
  { epoch, window }: TailView,
  after: string | null,
  chunks: LogChunks,
): Promise<{ position: bigint; gap: FeedGap | null }> {
  const { tip, floor } = window;
  if (after === null) return { position: tip, gap: null };
  const cursor = decodeCursor(after);
  const lost = (reason: FeedGap['reason']) => ({
    position: tip,
    gap: gapTo(reason, after, { epoch, position: tip }),
  });
  if (cursor?.epoch !== epoch || cursor.position > tip) return lost('CURSOR_INVALID');
  if (cursor.position >= floor) return { position: cursor.position, gap: null };
  const { prunedThrough } = (await chunks.behind(cursor.position, tip)).state;
  return cursor.position < prunedThrough ? lost('CURSOR_EXPIRED') : { position: cursor.position, gap: null };
}

interface Walk {
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

/** One subscriber's way through the log. */
function walkLog(walk: Walk): StepSource<FeedItem> {
  const { chunks, tail, waiter, cooperativeYield, itemOf, filter, usesTags } = walk;
  let { epoch, generation, position, gap } = walk;
  /** Whether the next step lies behind the window, and what was read of it. */
  let isBehind = false;
  let read = NO_ITEMS;
  const hasMore = (view: TailView | null): boolean =>
    view !== null &&
    (generation !== view.generation || (position < view.window.tip && !(usesTags && view.tags === null)));

  /** For our turn; before it, for news. */
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

  /** Looks at the log anew: while we waited for our turn we may have been closed, or the log become another one. */
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
        // A thousand may wait for the same, and what it lets them do would be no part of the turns in which they asked for it.
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
    // What the tail has not seen yet is left for the next step: it may tell of tags that it does not know.
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

/** One object for one event, whoever is given it: what is made of it can be shared by that. */
function createItems(): (event: EventRow, epoch: string) => FeedEvent {
  const items = new WeakMap<EventRow, FeedEvent>();
  return (event, epoch) => {
    let item = items.get(event);
    if (!item) {
      item = { type: 'event', cursor: encodeCursor({ epoch, position: event.position }), event };
      items.set(event, item);
    }
    return item;
  };
}

function gapTo(
  reason: FeedGap['reason'],
  fromCursor: string,
  to: { epoch: string; position: bigint },
): FeedGap {
  return { type: 'gap', reason, fromCursor, toCursor: encodeCursor(to) };
}

function unreadable(cause: unknown): Error {
  return new Error('The event log cannot be read at the moment.', { cause });
}
