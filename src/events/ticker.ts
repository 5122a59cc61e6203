import { createLoop, type Loop } from '../async/loop.ts';
import { iterate } from './iterate.ts';
import { stepsOf } from '../async/step-source.ts';
import { createWaiter, type Waiter } from './waiter.ts';

/** Gives something that is read anew at fixed intervals to any number of followers. */
export interface Ticker<T> {
  /** What is read now, and then again at each interval, until it is left. */
  follow: (intervalMs: number) => AsyncIterableIterator<T>;
}

export interface TickerOptions<T> {
  read: () => Promise<T>;
  /** A read that failed, while the database is away for one, gives nothing: followers wait for the next. */
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

/** What was read a moment ago is new enough for a reader that comes now, so a crowd that comes at once costs one read. */
const STILL_NEW_MS = 100;

/** All followers of one interval, who share its reads. */
interface Pulse<T> {
  loop: Loop;
  followers: Set<Waiter>;
  /** What was read last in time; none before the first read. */
  tick: { value: T } | null;
}

/**
 * Reads once per interval however many follow it, and not at all where nobody does. A follower that takes its time finds
 * the latest value and misses those before it; nothing is kept for it.
 */
export function createTicker<T>(options: TickerOptions<T>): Ticker<T> {
  const { onError, monotonicMs = () => performance.now() } = options;
  const pulses = new Map<number, Pulse<T>>();
  const read = shared(options.read, monotonicMs);

  function start(intervalMs: number): Pulse<T> {
    const startedMs = monotonicMs();
    const loop = createLoop({ name: 'ticker', step, onError, retryMs: intervalMs });
    const pulse: Pulse<T> = { loop, followers: new Set(), tick: null };
    pulses.set(intervalMs, pulse);
    loop.start();
    return pulse;

    async function step(): Promise<number> {
      pulse.tick = { value: await read() };
      for (const follower of pulse.followers) follower.notify();
      // Counted from the start, so that the time that reads take does not add up.
      return intervalMs - ((monotonicMs() - startedMs) % intervalMs);
    }
  }

  function leave(intervalMs: number, pulse: Pulse<T>, waiter: Waiter): void {
    pulse.followers.delete(waiter);
    if (pulse.followers.size > 0) return;
    pulses.delete(intervalMs);
    void pulse.loop.stop();
  }

  return {
    follow(intervalMs) {
      const pulse = pulses.get(intervalMs) ?? start(intervalMs);
      const waiter = createWaiter(() => {
        leave(intervalMs, pulse, waiter);
      });
      pulse.followers.add(waiter);
      let isFirst = true;
      let seen: Pulse<T>['tick'] = null;

      async function next(): Promise<T[] | null> {
        if (isFirst) {
          isFirst = false;
          // One that fails is reported by the pulse, whose next read follows.
          const first = await read().then(
            (value) => ({ value }),
            () => null,
          );
          seen = pulse.tick;
          if (first) return [first.value];
        }
        while (!waiter.isClosed() && pulse.tick === seen) await waiter.wait();
        seen = pulse.tick;
        return waiter.isClosed() || seen === null ? null : [seen.value];
      }

      return iterate({ ...stepsOf(next), close: waiter.close });
    },
  };
}

/** One read for all who ask while it is under way, and for a moment after it began. */
function shared<T>(read: () => Promise<T>, monotonicMs: () => number): () => Promise<T> {
  let latest: Promise<T> | null = null;
  let startedMs = 0;
  let isUnderWay = false;
  return () => {
    if (latest !== null && (isUnderWay || monotonicMs() - startedMs < STILL_NEW_MS)) return latest;
    startedMs = monotonicMs();
    isUnderWay = true;
    latest = read().finally(() => {
      isUnderWay = false;
    });
    latest.catch(() => {
      latest = null;
    });
    return latest;
  };
}
