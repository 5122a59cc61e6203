import { describe, expect, it } from 'vitest';
import { createSpareTime } from '../../src/events/spare-time.ts';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** Turns that each take so long by a clock of the test's own; `between` is what everything else takes per round. */
async function roundsOf(turns: number, turnMs: number, betweenMs: number): Promise<number[]> {
  let nowMs = 0;
  const spareTime = createSpareTime(() => nowMs);
  const rounds: number[] = [];
  let inRound = 0;
  let left = turns;
  const all = Array.from({ length: turns }, async () => {
    await spareTime.turn();
    nowMs += turnMs;
    inRound += 1;
    left -= 1;
  });
  while (left > 0) {
    await nextTurn();
    if (inRound > 0) rounds.push(inRound);
    inRound = 0;
    nowMs += betweenMs;
  }
  await Promise.all(all);
  return rounds;
}

describe('spare time', () => {
  it('is all there is while nothing else happens', async () => {
    const rounds = await roundsOf(1_000, 0.01, 0);
    expect(Math.max(...rounds)).toBeGreaterThan(500);
  });

  it('is spent in rounds of some milliseconds at most, so that nothing that begins has to wait for long', async () => {
    const rounds = await roundsOf(1_000, 1, 0);
    expect(Math.max(...rounds.slice(1))).toBeLessThanOrEqual(8);
  });

  it('is a fraction of what everything else takes', async () => {
    const rounds = await roundsOf(3_000, 0.01, 4);
    // The first rounds know nothing of it yet; 15 % of 4 ms are 60 turns.
    for (const round of rounds.slice(2, -1)) expect(round).toBeLessThanOrEqual(62);
    expect(Math.max(...rounds.slice(2))).toBeGreaterThan(50);
  });

  it('is given to some however busy the process is, in the order in which they came', async () => {
    const rounds = await roundsOf(100, 50, 1_000);
    expect(Math.min(...rounds.slice(1, -1))).toBe(4);
    const order: number[] = [];
    const spareTime = createSpareTime();
    await Promise.all([1, 2, 3].map((n) => spareTime.turn().then(() => order.push(n))));
    expect(order).toEqual([1, 2, 3]);
  });
});
