import { beforeEach, describe, expect, it } from 'vitest';
import { createJointStart, type JointStart } from '../../../src/engine/running/joint-start.ts';

let nowMs: number;
let utilization: number;
let timers: { run: () => void; ms: number }[];
let started: string[];
let starts: JointStart;

beforeEach(() => {
  nowMs = 0;
  utilization = 0;
  timers = [];
  started = [];
  starts = createJointStart({
    monotonicMs: () => nowMs,
    loopUtilization: () => utilization,
    later: (run, ms) => void timers.push({ run, ms }),
  });
});

function end(name: string, underWay = 49): void {
  starts.add(() => started.push(name), underWay);
}

/** Advances time by this much, with an event loop that was busy to this degree. */
function pass(ms: number, busy: number): void {
  nowMs += ms;
  utilization = busy;
}

function fireTimers(): void {
  for (const { run } of timers.splice(0)) run();
}

describe('the place of a call that has ended', () => {
  it('is taken at once while the event loop has spare time', () => {
    pass(100, 0.89);
    end('a');
    end('b');
    expect([started, timers]).toEqual([['a', 'b'], []]);
  });

  it('waits for others for up to a millisecond while the event loop is the bottleneck', () => {
    pass(100, 0.9);
    end('a');
    end('b');
    expect([started, timers.map(({ ms }) => ms)]).toEqual([[], [1]]);
    fireTimers();
    expect(started).toEqual(['a', 'b']);
    end('c');
    expect(timers).toHaveLength(1);
  });

  it('stops waiting when half of all places are free', () => {
    pass(100, 1);
    for (const [name, underWay] of [
      ['a', 3],
      ['b', 2],
    ] as const)
      end(name, underWay);
    expect(started).toEqual(['a', 'b']);
    fireTimers();
    expect(started).toEqual(['a', 'b']);
  });

  it('is taken at once when it was the last running call', () => {
    pass(100, 1);
    end('a', 0);
    expect(started).toEqual(['a']);
  });

  it('is collected until the event loop is clearly idle again, which is checked ten times a second', () => {
    pass(100, 0.95);
    end('a');
    pass(99, 0.1);
    end('b');
    pass(1, 0.6);
    end('c');
    fireTimers();
    expect(started).toEqual(['a', 'b', 'c']);
    pass(100, 0.59);
    end('d');
    expect([started.at(-1), timers]).toEqual(['d', []]);
    pass(100, 0.8);
    end('e');
    expect(started.at(-1)).toBe('e');
  });
});
