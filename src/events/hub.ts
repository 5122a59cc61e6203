import { readEventLogState, readEvents, type EventLogState, type EventRow } from '../store/event-log.ts';
import type { Queryable } from '../store/sql.ts';
import { decodeCursor, encodeCursor } from './cursor.ts';
import { createEventWindow, type EventWindow } from './event-window.ts';
import type { FeedGap, FeedItem, FeedOptions } from './feed.ts';

export interface HubOptions {
  db: Queryable;
  /** How often the log is looked at when no wake-up comes. */
  pollIntervalMs: number;
  /** Events kept in memory for those who keep up. */
  windowCapacity?: number;
  onError: (error: unknown) => void;
}

/** One subscriber's way through the log. */
export interface Subscription {
  /** The next items, at least one; null once closed. Waits where there is nothing new. Never called twice at once. */
  next(): Promise<readonly FeedItem[] | null>;
  close(): void;
}

/**
 * The in-process end of the event log: tails it while anybody is subscribed, and lets each subscriber walk it at its
 * own pace. A subscriber holds a position, not a queue: one that does not read costs nothing, and later reads on from
 * the log.
 */
export interface EventHub {
  /** Opens a subscription; from then on nothing is missed, whenever its first `next` comes. */
  open(options: FeedOptions): Promise<Subscription>;
  /** Says that the log has probably grown. */
  wake(): void;
  /** Reads what the log has; for tests, and what the tail does on each wake-up. */
  tailOnce(): Promise<void>;
  /** The epoch of the cursors given out now; null before the first subscriber. */
  readonly epoch: string | null;
  /** Closes every subscription. */
  stop(): Promise<void>;
}

const READ_LIMIT = 1_000;
/** Items given to a subscriber in one step: enough to be cheap, few enough to be let go of quickly. */
const STEP_LIMIT = 256;
const RETRY_AFTER_ERROR_MS = 1_000;

export function createEventHub(options: HubOptions): EventHub {
  const { db, pollIntervalMs, windowCapacity = 8_192, onError } = options;
  const subscribers = new Set<{ notify: () => void; close: () => void }>();
  /** Rises when the log is not the one we knew; whoever holds an older one has to be told. */
  let generation = 0;
  let epoch: string | null = null;
  let window: EventWindow | null = null;
  let tailing: Promise<void> | null = null;
  let wakeAgain = false;
  let failed = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  /** One walk to the tip at a time; a wake-up during it causes one more. */
  function tail(): Promise<void> {
    if (tailing) {
      wakeAgain = true;
      return tailing;
    }
    tailing = readToTip()
      .catch((error: unknown) => {
        failed = true;
        onError(error);
      })
      .finally(() => {
        tailing = null;
        // A wake-up that came after the last look, but before this line, must not wait for the next poll.
        if (wakeAgain && !failed && !stopped) void tail();
        else schedule();
      });
    return tailing;
  }

  async function readToTip(): Promise<void> {
    do {
      wakeAgain = false;
      const recovering = failed;
      // After an error the database may be another one: restored, or failed over to an older state.
      if (window === null || recovering) reconcile(await readEventLogState(db));
      await drain();
      failed = false;
      if (recovering) notifyAll();
    } while (wakeAgain);
  }

  async function drain(): Promise<void> {
    for (;;) {
      if (window === null) return;
      const events = await readEvents(db, window.tip, READ_LIMIT);
      if (events.length > 0) {
        window.append(events);
        notifyAll();
      }
      if (events.length < READ_LIMIT) return;
    }
  }

  function reconcile(state: EventLogState): void {
    const known = window !== null && epoch === state.epoch && window.tip <= state.tip;
    if (known) return;
    if (epoch !== null) generation += 1;
    epoch = state.epoch;
    window = createEventWindow(state.tip, windowCapacity);
    notifyAll();
  }

  function notifyAll(): void {
    for (const subscriber of subscribers) subscriber.notify();
  }

  function schedule(): void {
    clearTimeout(timer);
    if (stopped || subscribers.size === 0) return;
    timer = setTimeout(
      () => void tail(),
      failed ? Math.min(RETRY_AFTER_ERROR_MS, pollIntervalMs) : pollIntervalMs,
    );
    timer.unref();
  }

  async function open({ after, filter }: FeedOptions): Promise<Subscription> {
    if (stopped) throw new Error('the event hub is stopped');
    const subscriber = createWaiter();
    subscribers.add(subscriber);
    try {
      // The window may lag behind the log by as much as a lost wake-up: walk to the tip first, together with whoever
      // else is opening at this moment.
      await tail();
      if (window === null || epoch === null || failed)
        throw new Error('the event log cannot be read at the moment');
      return await walk(subscriber, after ?? null, filter);
    } catch (error) {
      subscriber.close();
      throw error;
    }
  }

  function createWaiter(): {
    notify: () => void;
    close: () => void;
    wait: () => Promise<void>;
    closed: () => boolean;
  } {
    let resume: (() => void) | null = null;
    let closed = false;
    const waiter = {
      notify() {
        resume?.();
        resume = null;
      },
      close() {
        closed = true;
        subscribers.delete(waiter);
        if (subscribers.size === 0) forget();
        waiter.notify();
      },
      wait: () => (closed ? Promise.resolve() : new Promise<void>((resolve) => (resume = resolve))),
      closed: () => closed,
    };
    return waiter;
  }

  /** Without subscribers nobody tails, and a window that is not fed soon tells nothing. */
  function forget(): void {
    clearTimeout(timer);
    window = null;
  }

  async function walk(
    waiter: ReturnType<typeof createWaiter>,
    after: string | null,
    filter: FeedOptions['filter'],
  ): Promise<Subscription> {
    let mine = generation;
    let { position, gap } = await startingPoint(after);

    async function step(): Promise<readonly FeedItem[]> {
      if (window === null || epoch === null) return [];
      if (mine !== generation) {
        const lost: FeedGap = gapTo('CURSOR_INVALID', encodeCursor({ epoch, position }), window.tip);
        mine = generation;
        position = window.tip;
        return [lost];
      }
      if (position >= window.tip) return [];
      const read = position >= window.floor ? window.after(position, STEP_LIMIT) : await readBehindWindow();
      return 'reason' in read ? [read] : take(read);
    }

    async function readBehindWindow(): Promise<readonly EventRow[] | FeedGap> {
      const events = await readEvents(db, position, STEP_LIMIT);
      // Asked after the read: whatever was pruned before it stands below this floor.
      const { prunedThrough, tip } = await readEventLogState(db);
      if (prunedThrough <= position) return events;
      const lost = gapTo('CURSOR_EXPIRED', encodeCursor({ epoch: epoch ?? '', position }), tip);
      position = tip;
      return lost;
    }

    function take(events: readonly EventRow[]): FeedItem[] {
      const items: FeedItem[] = [];
      for (const event of events) {
        position = event.position;
        if (filter(event))
          items.push({ type: 'event', cursor: encodeCursor({ epoch: epoch ?? '', position }), event });
      }
      return items;
    }

    const canGoOn = (): boolean => window !== null && (mine !== generation || position < window.tip);

    /** The database is away: the tail looks again soon, and its recovery finds us waiting here. */
    async function waitForRecovery(error: unknown): Promise<readonly FeedItem[]> {
      onError(error);
      failed = true;
      schedule();
      await waiter.wait();
      return [];
    }

    async function next(): Promise<readonly FeedItem[] | null> {
      if (gap) {
        const first = gap;
        gap = null;
        return [first];
      }
      while (!waiter.closed()) {
        if (!canGoOn()) {
          await waiter.wait();
          continue;
        }
        const items = await step().catch(waitForRecovery);
        if (items.length > 0) return waiter.closed() ? null : items;
      }
      return null;
    }

    return { next, close: waiter.close };
  }

  function gapTo(reason: FeedGap['reason'], fromCursor: string | null, tip: bigint): FeedGap {
    return { type: 'gap', reason, fromCursor, toCursor: encodeCursor({ epoch: epoch ?? '', position: tip }) };
  }

  /** Where a subscriber begins, and the gap that it has to be told of first. */
  async function startingPoint(after: string | null): Promise<{ position: bigint; gap: FeedGap | null }> {
    const tip = window?.tip ?? 0n;
    if (after === null) return { position: tip, gap: null };
    const cursor = decodeCursor(after);
    if (!cursor || cursor.epoch !== epoch || cursor.position > tip) {
      return { position: tip, gap: gapTo('CURSOR_INVALID', after, tip) };
    }
    if (window !== null && cursor.position >= window.floor) return { position: cursor.position, gap: null };
    const { prunedThrough } = await readEventLogState(db);
    if (cursor.position < prunedThrough) return { position: tip, gap: gapTo('CURSOR_EXPIRED', after, tip) };
    return { position: cursor.position, gap: null };
  }

  return {
    open,
    get epoch() {
      return epoch;
    },
    wake() {
      if (subscribers.size > 0) void tail();
    },
    tailOnce: () => tail(),
    async stop() {
      stopped = true;
      clearTimeout(timer);
      for (const subscriber of subscribers) subscriber.close();
      await tailing;
    },
  };
}
