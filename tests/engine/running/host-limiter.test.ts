import { describe, expect, it } from 'vitest';
import { createHostLimiter, type HostLimiter } from '../../../src/engine/running/host-limiter.ts';

const MANY = { maxConcurrency: 100, maxConcurrencyPerHost: 2 };

function limiterOf(limits = MANY, clock = { ms: 0 }): HostLimiter<string> {
  return createHostLimiter<string>(limits, () => clock.ms);
}

/** Takes all places of a host and adds this many waiting calls, named by host and number. */
function crowd(limiter: HostLimiter<string>, host: string, waiting: number): void {
  while (limiter.take(host));
  for (let n = 1; n <= waiting; n += 1) limiter.wait(host, `${host}${n}`);
}

describe('a place', () => {
  it('is taken at a host up to the limit of the host, and of all', () => {
    const limiter = limiterOf({ maxConcurrency: 4, maxConcurrencyPerHost: 3 });
    expect(['a', 'a', 'a', 'a'].map(limiter.take)).toEqual([true, true, true, false]);
    expect(['b', 'b'].map(limiter.take)).toEqual([true, false]);
    expect(limiter.taken()).toBe(4);
    expect(limiter.room().load).toEqual(
      new Map([
        ['a', 3],
        ['b', 1],
      ]),
    );
  });

  it('is reserved for hosts without running calls, once four of five are taken', () => {
    const limiter = limiterOf({ maxConcurrency: 10, maxConcurrencyPerHost: 8 });
    crowd(limiter, 'a', 1);
    expect([limiter.taken(), limiter.hasOpenPlaces()]).toEqual([8, false]);
    expect(['a', 'b', 'b', 'c', 'd'].map(limiter.take)).toEqual([false, true, false, true, false]);
    limiter.free('b', null);
    // A reserved place is not for a host that already has others.
    expect(limiter.next('b')).toBeUndefined();
  });

  it('goes to the call that has waited longest at the same host', () => {
    const limiter = limiterOf();
    crowd(limiter, 'b', 1);
    crowd(limiter, 'a', 2);
    limiter.free('a', null);
    expect(limiter.next('a')).toBe('a1');
    // From then on it has the place.
    expect([limiter.taken(), limiter.take('a'), limiter.next('a')]).toEqual([4, false, undefined]);
    limiter.free('a', null);
    expect(limiter.next('a')).toBe('a2');
    limiter.free('a', null);
    expect(limiter.next('a')).toBeUndefined();
  });

  it('goes to a call at another host that may have it, when no call waits at its own host', () => {
    const limiter = limiterOf({ maxConcurrency: 5, maxConcurrencyPerHost: 4 });
    crowd(limiter, 'a', 0);
    crowd(limiter, 'b', 1);
    crowd(limiter, 'c', 1);
    limiter.free('a', null);
    expect(limiter.next('a')).toBe('c1');
    expect(limiter.next('a')).toBeUndefined();
  });
});

describe('a waiting call', () => {
  it('is counted at its host, together with the calls that have places there', () => {
    const limiter = limiterOf();
    crowd(limiter, 'a', 3);
    crowd(limiter, 'b', 0);
    expect(limiter.room().load).toEqual(
      new Map([
        ['a', 5],
        ['b', 2],
      ]),
    );
  });

  it('may leave, and the others keep their order in the queue', () => {
    const limiter = limiterOf();
    crowd(limiter, 'a', 3);
    crowd(limiter, 'b', 1);
    expect(limiter.remove('a', (who) => who === 'a2')).toEqual(['a2']);
    expect(limiter.remove('a', (who) => who === 'a2')).toEqual([]);
    for (let n = 0; n < 2; n += 1) limiter.free('a', null);
    expect([limiter.next('a'), limiter.next('a')]).toEqual(['a1', 'a3']);
    expect(limiter.removeAll()).toEqual(['b1']);
    expect(limiter.removeAll()).toEqual([]);
  });

  it('leaves nothing behind for a host without calls', () => {
    const limiter = limiterOf();
    crowd(limiter, 'a', 1);
    limiter.removeAll();
    for (let n = 0; n < 2; n += 1) limiter.free('a', null);
    expect(limiter.room().load).toEqual(new Map());
  });
});

describe('a stuck call', () => {
  it('has waited long at two checks, and longer than the queue moves', () => {
    const clock = { ms: 0 };
    const limiter = limiterOf(MANY, clock);
    crowd(limiter, 'a', 4);
    crowd(limiter, 'b', 1);
    const look = (ms: number) => {
      clock.ms = ms;
      return limiter.removeStuck();
    };
    expect(look(999)).toEqual(new Map());
    expect(look(1_000)).toEqual(new Map());
    limiter.free('a', null);
    expect(limiter.next('a')).toBe('a1');
    // Two more are expected to get places, because one got one since.
    expect(look(1_100)).toEqual(
      new Map([
        ['a', ['a4']],
        ['b', ['b1']],
      ]),
    );
    expect(look(1_200)).toEqual(new Map([['a', ['a2', 'a3']]]));
    expect(limiter.removeAll()).toEqual([]);
  });

  it('is never one that came after the check before the last', () => {
    const clock = { ms: 0 };
    const limiter = limiterOf(MANY, clock);
    crowd(limiter, 'a', 1);
    clock.ms = 5_000;
    limiter.removeStuck();
    limiter.wait('a', 'late');
    clock.ms = 7_000;
    expect(limiter.removeStuck()).toEqual(new Map([['a', ['a1']]]));
    expect(limiter.removeStuck()).toEqual(new Map([['a', ['late']]]));
  });
});

describe('the number of claims ahead of a place', () => {
  const LIMITS = { maxConcurrency: 100, maxConcurrencyPerHost: 10 };

  it('is what gets a place within a tenth of a second at the current duration of calls', () => {
    const clock = { ms: 0 };
    const limiter = limiterOf(LIMITS, clock);
    expect(limiter.roomAhead()).toBe(0);
    limiter.take('a');
    limiter.free('a', 50);
    expect(limiter.roomAhead()).toBe(20);
    expect(limiter.room()).toMatchObject({ executions: 80 + 20, load: new Map([['a', -20]]) });
    clock.ms = 1_999;
    expect(limiter.roomAhead()).toBe(20);
    clock.ms = 2_000;
    expect(limiter.roomAhead()).toBe(0);
    expect(limiter.room().load).toEqual(new Map());
  });

  it('is limited for very fast calls, and reduced by the waiting calls', () => {
    const limiter = limiterOf(LIMITS);
    for (const host of ['a', 'b']) {
      limiter.take(host);
      limiter.free(host, 0.1);
    }
    expect(limiter.roomAhead()).toBe(500);
    crowd(limiter, 'a', 250);
    expect(limiter.roomAhead()).toBe(250);
    expect([limiter.hasRoomAt('a'), limiter.hasRoomAt('b')]).toEqual([true, true]);
    crowd(limiter, 'a', 1);
    expect(limiter.hasRoomAt('a')).toBe(false);
  });

  it('is zero at a host whose calls take long', () => {
    const limiter = limiterOf(LIMITS);
    limiter.take('a');
    limiter.free('a', 1_000);
    expect(limiter.roomAhead()).toBe(0);
  });

  it('decreases as the calls become slower', () => {
    const limiter = limiterOf(LIMITS);
    const call = (ms: number) => {
      limiter.take('a');
      limiter.free('a', ms);
    };
    call(10);
    expect(limiter.roomAhead()).toBe(100);
    for (let n = 0; n < 50; n += 1) call(500);
    expect(limiter.roomAhead()).toBe(2);
  });

  it('is smaller while the free places are reserved for others', () => {
    const limiter = limiterOf({ maxConcurrency: 10, maxConcurrencyPerHost: 10 });
    limiter.take('a');
    limiter.free('a', 10);
    expect(limiter.roomAhead()).toBe(80);
    crowd(limiter, 'b', 0);
    expect(limiter.roomAhead()).toBe(10);
  });

  it('is zero at a host whose queue is stuck, until it answers again', () => {
    const clock = { ms: 0 };
    const limiter = limiterOf(LIMITS, clock);
    crowd(limiter, 'a', 1);
    for (const ms of [1_000, 1_900]) {
      clock.ms = ms;
      limiter.free('a', 10);
      limiter.take('a');
      limiter.removeStuck();
    }
    expect(limiter.roomAhead()).toBe(0);
    expect(limiter.isMoving()).toBe(false);
    limiter.free('a', 10);
    expect(limiter.roomAhead()).toBe(100);
  });
});

describe('a queue', () => {
  it('moves while its host answers', () => {
    const clock = { ms: 0 };
    const limiter = limiterOf(MANY, clock);
    crowd(limiter, 'a', 1);
    expect(limiter.isMoving()).toBe(false);
    limiter.free('a', 10);
    limiter.take('a');
    expect(limiter.isMoving()).toBe(true);
    clock.ms = 100;
    expect(limiter.isMoving()).toBe(false);
  });
});
