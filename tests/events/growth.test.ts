import { describe, expect, it } from 'vitest';
import { createGrowth } from '../../src/events/growth.ts';

describe('growth', () => {
  it('is fast while much comes, and for a moment after it', () => {
    let nowMs = 0;
    const growth = createGrowth(() => nowMs);
    expect(growth.isFasterThan(0)).toBe(false);
    for (; nowMs < 1_000; nowMs += 10) growth.note(20);
    expect(growth.isFasterThan(1_900)).toBe(true);
    expect(growth.isFasterThan(2_100)).toBe(false);
    nowMs += 150;
    expect(growth.isFasterThan(1_000)).toBe(true);
    nowMs += 400;
    expect(growth.isFasterThan(0)).toBe(false);
  });
});
