import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createTicker, type Ticker } from '../../src/events/ticker.ts';

let reads = 0;
let errors: unknown[] = [];
let isAway = false;
let ticker: Ticker<number>;

beforeEach(() => {
  vi.useFakeTimers();
  [reads, errors, isAway] = [0, [], false];
  ticker = createTicker({
    read: () => {
      reads += 1;
      return isAway ? Promise.reject(new Error('away')) : Promise.resolve(reads);
    },
    onError: (error) => errors.push(error),
  });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a follower', () => {
  it('gets a value at once and then one at each interval', async () => {
    const follower = ticker.follow(1_000);
    expect(await valueOf(follower.next())).toBe(1);
    for (const value of [2, 3, 4]) {
      const next = follower.next();
      await vi.advanceTimersByTimeAsync(999);
      expect(reads).toBe(value - 1);
      await vi.advanceTimersByTimeAsync(1);
      expect(await valueOf(next)).toBe(value);
    }
    await follower.return?.();
  });

  it('that joins later gets a value at once too, and its next with all others', async () => {
    const first = ticker.follow(10_000);
    await first.next();
    await vi.advanceTimersByTimeAsync(4_000);
    const second = ticker.follow(10_000);
    expect(await valueOf(second.next())).toBe(2);
    const next = [first.next(), second.next()];
    await vi.advanceTimersByTimeAsync(6_000);
    expect(await Promise.all(next.map(valueOf))).toEqual([3, 3]);
    await Promise.all([first.return?.(), second.return?.()]);
  });

  it('that is slow gets only the latest value', async () => {
    const follower = ticker.follow(1_000);
    await follower.next();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await valueOf(follower.next())).toBe(6);
    await follower.return?.();
  });

  it('can leave at once, also while it waits', async () => {
    const follower = ticker.follow(1_000);
    await follower.next();
    const waiting = follower.next();
    await follower.return?.();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it('waits while nothing can be read, and continues when it can', async () => {
    isAway = true;
    const follower = ticker.follow(1_000);
    const next = follower.next();
    await vi.advanceTimersByTimeAsync(2_500);
    expect(errors).toHaveLength(3);
    isAway = false;
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await valueOf(next)).toBe(reads);
    await follower.return?.();
  });
});

describe('reads', () => {
  it('are shared by all followers of an interval, however many there are', async () => {
    const followers = Array.from({ length: 500 }, () => ticker.follow(1_000));
    expect(new Set(await Promise.all(followers.map((follower) => valueOf(follower.next()))))).toEqual(
      new Set([1]),
    );
    const next = followers.map((follower) => valueOf(follower.next()));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(new Set(await Promise.all(next))).toEqual(new Set([2]));
    for (const follower of followers) await follower.return?.();
  });

  it('stop with the last follower, and start again with the next', async () => {
    const [first, second] = [ticker.follow(1_000), ticker.follow(1_000)];
    await Promise.all([first.next(), second.next()]);
    await first.return?.();
    await vi.advanceTimersByTimeAsync(1_000);
    expect(reads).toBe(2);
    await second.return?.();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(reads).toBe(2);
    const third = ticker.follow(1_000);
    expect(await valueOf(third.next())).toBe(3);
    await third.return?.();
  });
});

async function valueOf(result: Promise<IteratorResult<number>>): Promise<number> {
  const item = await result;
  if (item.done === true) throw new Error('The follower has ended');
  return item.value;
}
