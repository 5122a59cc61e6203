import { describe, expect, it } from 'vitest';
import { createHostQueues, type HostQueues } from '../../../src/engine/running/host-queues.ts';

const MANY = { maxConcurrency: 100, maxConcurrencyPerHost: 2 };

function linesOf(limits = MANY, clock = { ms: 0 }): HostQueues<string> {
  return createHostQueues<string>(limits, () => clock.ms);
}

/** Takes all places of a host, and has so many wait there, named by host and number. */
function crowd(lines: HostQueues<string>, host: string, waiting: number): void {
  while (lines.take(host));
  for (let n = 1; n <= waiting; n += 1) lines.wait(host, `${host}${n}`);
}

describe('a place', () => {
  it('is taken at a host up to the limit of the host, and of all', () => {
    const lines = linesOf({ maxConcurrency: 4, maxConcurrencyPerHost: 3 });
    expect(['a', 'a', 'a', 'a'].map(lines.take)).toEqual([true, true, true, false]);
    expect(['b', 'b'].map(lines.take)).toEqual([true, false]);
    expect([lines.taken(), lines.takenAt('a'), lines.takenAt('b'), lines.takenAt('c')]).toEqual([4, 3, 1, 0]);
  });

  it('is kept for hosts at which nothing is under way, once four of five are taken', () => {
    const lines = linesOf({ maxConcurrency: 10, maxConcurrencyPerHost: 8 });
    crowd(lines, 'a', 1);
    expect([lines.taken(), lines.hasOpenPlaces()]).toEqual([8, false]);
    expect(['a', 'b', 'b', 'c', 'd'].map(lines.take)).toEqual([false, true, false, true, false]);
    lines.free('b');
    // One of those that are kept: not for a host that has others.
    expect(lines.next('b')).toBeUndefined();
  });

  it('goes to who has waited longest at the same host', () => {
    const lines = linesOf();
    crowd(lines, 'b', 1);
    crowd(lines, 'a', 2);
    lines.free('a');
    expect(lines.next('a')).toBe('a1');
    // It has the place from then on.
    expect([lines.takenAt('a'), lines.take('a'), lines.next('a')]).toEqual([2, false, undefined]);
    lines.free('a');
    expect(lines.next('a')).toBe('a2');
    lines.free('a');
    expect(lines.next('a')).toBeUndefined();
  });

  it('goes to who waits elsewhere, where nobody waits at its own host, and may have it', () => {
    const lines = linesOf({ maxConcurrency: 5, maxConcurrencyPerHost: 4 });
    crowd(lines, 'a', 0);
    crowd(lines, 'b', 1);
    crowd(lines, 'c', 1);
    lines.free('a');
    expect(lines.next('a')).toBe('c1');
    expect(lines.next('a')).toBeUndefined();
  });
});

describe('who waits', () => {
  it('is counted at their host, beside those who have places there', () => {
    const lines = linesOf();
    crowd(lines, 'a', 3);
    crowd(lines, 'b', 0);
    expect([lines.waiting(), lines.waitingAt('a'), lines.waitingAt('b')]).toEqual([3, 3, 0]);
    expect(lines.isWaitedForAt((host) => host === 'a')).toBe(true);
    expect(lines.isWaitedForAt((host) => host !== 'a')).toBe(false);
    expect(lines.loads()).toEqual(
      new Map([
        ['a', 5],
        ['b', 2],
      ]),
    );
  });

  it('may leave, and the others keep their places in the line', () => {
    const lines = linesOf();
    crowd(lines, 'a', 3);
    crowd(lines, 'b', 1);
    expect(lines.remove('a', (who) => who === 'a2')).toEqual(['a2']);
    expect(lines.remove('a', (who) => who === 'a2')).toEqual([]);
    for (let n = 0; n < 2; n += 1) lines.free('a');
    expect([lines.next('a'), lines.next('a')]).toEqual(['a1', 'a3']);
    expect(lines.removeAll()).toEqual(['b1']);
    expect(lines.waiting()).toBe(0);
  });

  it('leaves nothing behind of a host at which nothing is any more', () => {
    const lines = linesOf();
    crowd(lines, 'a', 1);
    lines.removeAll();
    for (let n = 0; n < 2; n += 1) lines.free('a');
    expect(lines.loads()).toEqual(new Map());
  });
});

describe('who is stuck', () => {
  it('has waited for long at two looks, and longer than the line moves', () => {
    const clock = { ms: 0 };
    const lines = linesOf(MANY, clock);
    crowd(lines, 'a', 4);
    crowd(lines, 'b', 1);
    const look = (ms: number) => {
      clock.ms = ms;
      return lines.removeStuck();
    };
    expect(look(999)).toEqual(new Map());
    expect(look(1_000)).toEqual(new Map());
    lines.free('a');
    expect(lines.next('a')).toBe('a1');
    // Two more are expected to have places, as one had one since.
    expect(look(1_100)).toEqual(
      new Map([
        ['a', ['a4']],
        ['b', ['b1']],
      ]),
    );
    expect(look(1_200)).toEqual(new Map([['a', ['a2', 'a3']]]));
    expect(lines.waiting()).toBe(0);
  });

  it('is nobody who has come since the last look but one', () => {
    const clock = { ms: 0 };
    const lines = linesOf(MANY, clock);
    crowd(lines, 'a', 1);
    clock.ms = 5_000;
    lines.removeStuck();
    lines.wait('a', 'late');
    clock.ms = 7_000;
    expect(lines.removeStuck()).toEqual(new Map([['a', ['a1']]]));
    expect(lines.waitingAt('a')).toBe(1);
    expect(lines.removeStuck()).toEqual(new Map([['a', ['late']]]));
  });
});
