import { readEventLogState, readLog, type EventLogState, type EventRow } from '../store/event-log.ts';
import type { Queryable } from '../store/sql.ts';
import { createTurns } from '../turns.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import type { FeedGap, FeedItem, FeedOptions } from './feed.ts';
import type { StepSource } from './iterate.ts';
import { createLogTail, type LogTail, type TailView } from './log-tail.ts';
import { createWaiter, type Waiter } from './waiter.ts';

export interface HubOptions {
  db: Queryable;
  /** How often the log is looked at when no wake-up comes. */
  pollIntervalMs: number;
  /** Events kept in memory for those who keep up. */
  windowCapacity?: number;
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
 * Reads of the log by subscribers that have fallen behind the window, at once. The engine lives on the same connections:
 * a thousand that come back after a break must not take all of them.
 */
const MAX_LOG_READS = 4;
const NO_TAGS: readonly string[] = [];

export function createEventHub({
  db,
  pollIntervalMs,
  windowCapacity = WINDOW_CAPACITY,
  onError,
}: HubOptions): EventHub {
  const waiters = new Set<Waiter>();
  const logReads = createTurns(MAX_LOG_READS);
  let stopped = false;
  const tail = createLogTail({
    db,
    pollIntervalMs,
    windowCapacity,
    isWanted: () => waiters.size > 0,
    onChange: () => {
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
      const start = await startingPoint(view, after ?? null, () =>
        logReads.take(() => readEventLogState(db)),
      );
      const readBehind: Walk['readBehind'] = (position) =>
        logReads.take(() => readLog(db, position, STEP_LIMIT));
      return walkLog({ readBehind, tail, waiter, filter, usesTags, ...view, ...start });
    } catch (error) {
      waiter.close();
      throw error;
    }
  }

  function addWaiter(): Waiter {
    const waiter = createWaiter(() => {
      waiters.delete(waiter);
      if (waiters.size === 0) tail.forget();
    });
    waiters.add(waiter);
    return waiter;
  }

  async function recovered(error: unknown): Promise<boolean> {
    if (stopped) return false;
    const waiter = addWaiter();
    // Of a thousand subscribers whose reads fail together, one tells.
    if (!tail.failing) tail.reportFailure(error);
    while (tail.failing && !waiter.closed) await waiter.wait();
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
  readState: () => Promise<EventLogState>,
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
  const { prunedThrough } = await readState();
  return cursor.position < prunedThrough ? lost('CURSOR_EXPIRED') : { position: cursor.position, gap: null };
}

interface Walk {
  /** The events behind a position that the window does not reach back to. */
  readBehind: (position: bigint) => ReturnType<typeof readLog>;
  tail: LogTail;
  waiter: Waiter;
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
  const { readBehind, tail, waiter, filter, usesTags } = walk;
  let { epoch, generation, position, gap } = walk;
  const hasMore = (view: TailView): boolean =>
    generation !== view.generation || (position < view.window.tip && !(usesTags && view.tags === null));

  async function step(view: TailView): Promise<readonly FeedItem[]> {
    if (generation !== view.generation) return [skipTo(view, 'CURSOR_INVALID')];
    const { window } = view;
    return position >= window.floor ? take(view, window.after(position, STEP_LIMIT)) : stepBehindWindow(view);
  }

  async function stepBehindWindow(view: TailView): Promise<readonly FeedItem[]> {
    const { state, events } = await readBehind(position);
    if (state.epoch !== epoch) {
      // Another log, which the tail has not seen yet: what was read has nothing to do with our position.
      await tail.read();
      return [];
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
    return gapTo(reason, from, { epoch, position });
  }

  function take(view: TailView, events: readonly EventRow[]): FeedItem[] {
    const items: FeedItem[] = [];
    for (const event of events) {
      position = event.position;
      const tags = usesTags && event.jobId !== null ? view.tags?.at(event.jobId, position) : undefined;
      if (filter(event, tags ?? NO_TAGS))
        items.push({ type: 'event', cursor: encodeCursor({ epoch, position }), event });
    }
    return items;
  }

  async function next(): Promise<readonly FeedItem[] | null> {
    if (gap !== null) {
      const first = gap;
      gap = null;
      return [first];
    }
    while (!waiter.closed) {
      const view = tail.view;
      if (view === null || !hasMore(view)) {
        await waiter.wait();
        continue;
      }
      const items = await step(view).catch(waitForRecovery);
      if (items.length > 0) return items;
    }
    return null;
  }

  /** The database is away: the tail looks again soon, and its recovery finds us waiting here. */
  async function waitForRecovery(error: unknown): Promise<readonly FeedItem[]> {
    tail.reportFailure(error);
    await waiter.wait();
    return [];
  }

  return {
    next,
    position: () => (gap === null ? encodeCursor({ epoch, position }) : null),
    close: waiter.close,
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
