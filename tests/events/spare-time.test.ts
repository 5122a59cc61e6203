import { describe, expect, it } from 'vitest';
import { createSpareTime } from '../../src/events/spare-time.ts';

/** A clock and an event loop of the test's own, in which each turn takes so long. */
function scene({ turnMs, isBusy = false }: { turnMs: number; isBusy?: boolean }) {
  let nowMs = 0;
  const planned: { atMs: number; run: () => void }[] = [];
  const spareTime = createSpareTime({
    isBusy: () => isBusy,
    monotonicMs: () => nowMs,
    after: (ms, run) => planned.push({ atMs: nowMs + ms, run }),
  });
  const rounds: { atMs: number; turns: number }[] = [];
  let turns = 0;
  const order: number[] = [];

  return {
    order,
    rounds,
    take: (count: number) => {
      for (let n = 0; n < count; n += 1)
        spareTime.turn(() => {
          order.push(n);
          turns += 1;
          nowMs += turnMs;
        });
    },
    run: async () => {
      while (planned.length > 0) {
        planned.sort((one, other) => one.atMs - other.atMs);
        const [next] = planned.splice(0, 1);
        nowMs = Math.max(nowMs, next?.atMs ?? 0);
        const beganMs = nowMs;
        next?.run();
        await new Promise((resolve) => setImmediate(resolve));
        if (turns > 0) rounds.push({ atMs: beganMs, turns });
        turns = 0;
      }
    },
  };
}

describe('spare time', () => {
  it('is given in the order in which it was asked for, to everybody', async () => {
    const { take, run, order } = scene({ turnMs: 0.5 });
    take(500);
    await run();
    expect(order).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });

  it('is spent in rounds of some milliseconds, so that nothing that comes has to wait for long', async () => {
    const { take, run, rounds } = scene({ turnMs: 1 });
    take(500);
    await run();
    // How long turns take, the first round shows.
    for (const { turns } of rounds.slice(1)) expect(turns).toBeLessThanOrEqual(8);
    expect(rounds[1]?.turns).toBe(8);
  });

  it('is not waited for while nothing goes before', async () => {
    const { take, run, rounds } = scene({ turnMs: 0.01 });
    take(2_000);
    await run();
    expect(rounds.at(-1)?.atMs).toBeLessThan(20);
    expect(rounds).toHaveLength(4);
  });

  it('is three hundredths of the time while something does', async () => {
    const { take, run, rounds } = scene({ turnMs: 1, isBusy: true });
    take(104);
    await run();
    // 64 turns, then five rounds of 8.
    expect(rounds.map(({ turns }) => turns)).toEqual([64, 8, 8, 8, 8, 8]);
    expect(rounds.map(({ atMs }) => Math.round(atMs))).toEqual([0, 323, 589, 856, 1123, 1389]);
  });

  it('comes often where little is done with it, busy or not', async () => {
    const { take, run, rounds } = scene({ turnMs: 0.05, isBusy: true });
    take(4);
    await run();
    take(4);
    await run();
    expect(Math.round(rounds.at(-1)?.atMs ?? 0)).toBe(7);
  });
});
