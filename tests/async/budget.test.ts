import { describe, expect, it } from 'vitest';
import { createBudget, type Part } from '../../src/async/budget.ts';

/** What has come of a request: a part that came later counts as one. */
function follow(asked: Part | Promise<Part | null>) {
  const state: { part: Part | null | undefined } = { part: undefined };
  if (!(asked instanceof Promise)) return { part: asked, isAtOnce: true };
  void asked.then((part) => (state.part = part));
  return Object.assign(state, { isAtOnce: false });
}

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('a budget', () => {
  it('gives out parts at once while there is room, and all of it to who asks for more', () => {
    const budget = createBudget(10);
    const whole = follow(budget.take(11));
    expect(whole.isAtOnce).toBe(true);
    whole.part?.keep(4);
    expect(follow(budget.take(6)).isAtOnce).toBe(true);
    expect(follow(budget.take(1)).isAtOnce).toBe(false);
  });

  it('gives out what comes back in the order in which it was asked for', async () => {
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

  it('takes back no more than was given, however often it is told', () => {
    const budget = createBudget(10);
    const first = follow(budget.take(6));
    expect(follow(budget.take(4)).isAtOnce).toBe(true);
    first.part?.keep(0);
    first.part?.keep(9);
    first.part?.keep(0);
    expect(follow(budget.take(6)).isAtOnce).toBe(true);
    expect(follow(budget.take(1)).isAtOnce).toBe(false);
  });

  it('turns away who has waited for so long, and lets those behind it go on', async () => {
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
