import { describe, expect, it } from 'vitest';
import { createCooperativeYield } from '../../src/async/cooperative-yield.ts';

interface Options {
  /** How long a turn takes: the same for all, or by its number. */
  turnMs: number | ((n: number) => number);
  isBusy?: boolean;
}

/** A clock and an event loop for the test. */
function scene({ turnMs, isBusy = false }: Options) {
  const took = typeof turnMs === 'number' ? () => turnMs : turnMs;
  let nowMs = 0;
  let immediates: (() => void)[] = [];
  const timers: { atMs: number; run: () => void }[] = [];
  const cooperativeYield = createCooperativeYield({
    isBusy: () => isBusy,
    monotonicMs: () => nowMs,
    after: (ms, run) => {
      if (ms === 0) immediates.push(run);
      else timers.push({ atMs: nowMs + ms, run });
    },
  });
  const rounds: { atMs: number; turns: number }[] = [];
  const order: number[] = [];
  let asked = 0;

  /** Callbacks of one phase. A callback that they schedule runs in the next phase. */
  function runPhase(): void {
    const [beganMs, before] = [nowMs, order.length];
    const phase = immediates;
    immediates = [];
    for (const run of phase) run();
    if (order.length > before) rounds.push({ atMs: beganMs, turns: order.length - before });
  }

  return {
    order,
    rounds,
    take: (count: number) => {
      for (const until = asked + count; asked < until; asked += 1) {
        const n = asked;
        cooperativeYield.turn(() => {
          order.push(n);
          nowMs += took(n);
        });
      }
    },
    run: () => {
      while (immediates.length + timers.length > 0) {
        if (immediates.length === 0) {
          timers.sort((one, other) => one.atMs - other.atMs);
          const [next] = timers.splice(0, 1);
          nowMs = Math.max(nowMs, next?.atMs ?? 0);
          next?.run();
        }
        runPhase();
      }
    },
  };
}

describe('spare time', () => {
  it('is given to all callers in the order of their requests', () => {
    const { take, run, order } = scene({ turnMs: 0.5 });
    take(5_000);
    run();
    expect(order).toEqual(Array.from({ length: 5_000 }, (_, n) => n));
  });

  it('is spent in rounds of some milliseconds, so other work does not wait for long', () => {
    for (const turnMs of [0.125, 0.5, 1]) {
      const { take, run, rounds } = scene({ turnMs });
      take(500);
      run();
      for (const { turns } of rounds.slice(0, -1)) expect(turns).toBe(8 / turnMs);
    }
  });

  it('is spent in such rounds also when turns become longer', () => {
    const { take, run, rounds } = scene({ turnMs: (n) => (n < 24 ? 1 / 1_024 : 2) });
    take(120);
    run();
    // Eight and sixteen cheap ones, and twice as many of the others; then the first slice of each round.
    expect(rounds.map(({ turns }) => turns)).toEqual([56, ...Array<number>(8).fill(8)]);
  });

  it('is not delayed while no work has priority', () => {
    const { take, run, rounds } = scene({ turnMs: 1 / 64 });
    take(1_200);
    run();
    expect(rounds).toEqual([
      { atMs: 0, turns: 512 },
      { atMs: 8, turns: 512 },
      { atMs: 16, turns: 176 },
    ]);
  });

  it('is three hundredths of the time while other work has priority', () => {
    const { take, run, rounds } = scene({ turnMs: 1, isBusy: true });
    take(40);
    run();
    expect(rounds.map(({ turns }) => turns)).toEqual([8, 8, 8, 8, 8]);
    expect(rounds.map(({ atMs }) => Math.round(atMs))).toEqual([0, 267, 533, 800, 1_067]);
  });

  it('keeps that share when long turns double a round, but does not make up for a standstill', () => {
    const { take, run, rounds } = scene({ turnMs: (n) => (n === 8 ? 5_000 : 2), isBusy: true });
    take(24);
    run();
    expect(rounds.map(({ atMs }) => Math.round(atMs))).toEqual([0, 533, 6_582]);
  });

  it('is given often when each turn does little, busy or not', () => {
    const { take, run, rounds } = scene({ turnMs: 0.05, isBusy: true });
    take(4);
    run();
    take(4);
    run();
    expect(Math.round(rounds.at(-1)?.atMs ?? 0)).toBe(7);
  });
});
