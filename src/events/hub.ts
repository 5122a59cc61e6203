import { createCooperativeYield } from '../async/cooperative-yield.ts';
import { createRecentCounts } from '../async/recent-counts.ts';
import type { StepSource } from '../async/step-source.ts';
import type { Queryable } from '../store/statements/sql.ts';
import type { FeedItem, FeedOptions } from './feed.ts';
import { createItems } from './items.ts';
import { createLogChunks } from './log-chunks.ts';
import { createLogTail } from './log-tail.ts';
import type { TailView } from './log-view.ts';
import { walkLog } from './log-walk.ts';
import { startingPoint } from './starting-point.ts';
import { createWaiter, type Waiter } from './waiter.ts';

export interface HubOptions {
  db: Queryable;
  /** How often the log is looked at when no wake-up comes. */
  pollIntervalMs: number;
  /** Events kept in memory for those who keep up. */
  windowCapacity?: number;
  /** Whether this process has work under way that goes before the delivery of its events. */
  isPressed?: () => boolean;
  onError: (error: unknown) => void;
}

/**
 * The in-process end of the event log: tails it while anybody is subscribed, and lets each subscriber walk it at its
 * own pace. A subscriber holds a position, not a queue: one that does not read costs nothing, and later reads on from
 * the log (`log-walk.ts`).
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

const WINDOW_CAPACITY = 8_192;
const BUSY_EVENTS = 200;
const BUSY_WINDOW_MS = 200;
const PRESSED_WINDOW_MS = 1_000;

export function createEventHub(options: HubOptions): EventHub {
  const { db, windowCapacity = WINDOW_CAPACITY, isPressed = () => false } = options;
  const waiters = new Set<Waiter>();
  const chunks = createLogChunks(db);
  const busyness = createBusyness(isPressed);
  const cooperativeYield = createCooperativeYield(busyness);
  const itemOf = createItems();
  let stopped = false;
  let generation = 0;
  const tail = createLogTail({
    ...options,
    windowCapacity,
    isWanted: () => waiters.size > 0,
    onEvents: busyness.noteEvents,
    onChange: () => {
      const current = tail.view?.generation ?? generation;
      if (current !== generation) chunks.forget();
      generation = current;
      for (const waiter of waiters) waiter.notify();
    },
  });

  async function open({ after, filter, usesTags = false }: FeedOptions): Promise<StepSource<FeedItem>> {
    if (stopped) throw new Error('The event hub is stopped.');
    const waiter = addWaiter();
    try {
      if (usesTags) tail.followTags();
      const view = await readView();
      const start = await startingPoint(view, after ?? null, chunks);
      view.window.reached(start.position);
      const { epoch, generation } = view;
      const parts = { chunks, tail, waiter, cooperativeYield, itemOf };
      return walkLog({ ...parts, filter, usesTags, epoch, generation, ...start });
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
    // Of a thousand subscribers whose reads fail together, one reports it.
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

/**
 * With more than {@link BUSY_EVENTS} in a fifth of a second, this instance or another works off many executions, and
 * subscribers take what is left of the time. While calls wait for a place here, the same number counts in a whole second:
 * outcomes are then recorded a few times a second, and the log is quiet between two records.
 */
function createBusyness(isPressed: () => boolean): {
  noteEvents: (count: number) => void;
  isBusy: () => boolean;
} {
  const recent = createRecentCounts(BUSY_WINDOW_MS);
  const lastSecond = createRecentCounts(PRESSED_WINDOW_MS);
  return {
    noteEvents(count) {
      recent.note('events', count);
      lastSecond.note('events', count);
    },
    isBusy: () => recent.of('events') > BUSY_EVENTS || (isPressed() && lastSecond.of('events') > BUSY_EVENTS),
  };
}

function unreadable(cause: unknown): Error {
  return new Error('The event log cannot be read at the moment.', { cause });
}
