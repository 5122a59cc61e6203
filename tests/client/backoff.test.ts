import { describe, expect, it } from 'vitest';
import { backoffMs } from '../../client/src/backoff.ts';

const BACKOFF = { initialDelayMs: 100, maxDelayMs: 5_000 };

describe('the wait before a client reconnects', () => {
  it.each([
    [1, 100],
    [2, 200],
    [3, 400],
    [6, 3_200],
    [7, 5_000],
    [5_000, 5_000],
  ])('after %i failures is at most %i ms, and at least half of it', (failures, most) => {
    expect(backoffMs(BACKOFF, failures, 0.999_999)).toBeCloseTo(most, 1);
    expect(backoffMs(BACKOFF, failures, 0)).toBe(most / 2);
  });
});
