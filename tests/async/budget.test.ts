import { describe, expect, it } from 'vitest';
import { createBudget, type Part } from '../../src/async/budget.ts';

/** What a request got. A part that came later counts as a part. */
function follow(asked: Part | Promise<Part | null>) {
  const state: { part: Part | null | undefined } = { part: undefined };
  if (!(asked instanceof Promise)) return { part: asked, isAtOnce: true };
  void asked.then((part) => (state.part = part));
  return Object.assign(state, { isAtOnce: false });
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('a budget', () => {
  it('grants parts at once while there is room, and the whole budget to a larger request', () => {
    const budget = createBudget(10);
    const whole = follow(budget.take(11));
    expect(whole.isAtOnce).toBe(true);
    whole.part?.keep(4);
    expect(follow(budget.take(6)).isAtOnce).toBe(true);
    expect(follow(budget.take(1)).isAtOnce).toBe(false);
  });

  it('grants returned parts in the order of the requests', async () => {
    const budget = createBudget(10);
    const first = follow(budget.take(10));
    const large = follow(budget.take(8));
    const small = follow(budget.take(3));
    first.part?.keep(5);
    await nextTurn();
    expect([large.part, small.part]).toEqual([undefined, undefined]);
    first.part?.keep(0);
    await nextTurn();
    expect(large.part).toBeDefined();
    expect(small.part).toBeUndefined();
    large.part?.keep(0);
    await nextTurn();
    expect(small.part).toBeDefined();
  });

  it('takes back no more than it granted, however often a part is returned', () => {
    const budget = createBudget(10);
    const first = follow(budget.take(6));
    expect(follow(budget.take(4)).isAtOnce).toBe(true);
    first.part?.keep(0);
    first.part?.keep(9);
    first.part?.keep(0);
    expect(follow(budget.take(6)).isAtOnce).toBe(true);
    expect(follow(budget.take(1)).isAtOnce).toBe(false);
  });

  it('refuses a request that waited too long, and serves the requests behind it', async () => {
    const budget = createBudget(10);
    const first = follow(budget.take(5));
    const refused = budget.take(8, 1);
    const behind = budget.take(5);
    expect(await refused).toBeNull();
    expect(await behind).not.toBeNull();
    first.part?.keep(0);
    expect(follow(budget.take(5)).isAtOnce).toBe(true);
  });
});
