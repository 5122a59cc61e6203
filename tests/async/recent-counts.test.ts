import { beforeEach, describe, expect, it } from 'vitest';
import { createRecentCounts, type RecentCounts } from '../../src/async/recent-counts.ts';

let nowMs: number;
let counts: RecentCounts;
beforeEach(() => {
  nowMs = 0;
  counts = createRecentCounts(100, () => nowMs);
});

describe('how often something happened lately', () => {
  it('is the count of the fuller of the last two windows', () => {
    for (let call = 0; call < 30; call += 1) counts.note('a');
    counts.note('b');
    expect([counts.of('a'), counts.of('b'), counts.of('c')]).toEqual([30, 1, 0]);
    nowMs = 150;
    counts.note('a');
    expect([counts.of('a'), counts.of('b')]).toEqual([30, 1]);
  });

  it('follows a steady pace', () => {
    for (; nowMs < 1_000; nowMs += 10) counts.note('a', 20);
    expect(counts.of('a')).toBe(200);
  });

  it('is zero when nothing happened for two windows', () => {
    counts.note('a');
    nowMs = 200;
    expect(counts.of('a')).toBe(0);
    counts.note('a');
    nowMs = 399;
    expect(counts.of('a')).toBe(1);
    nowMs = 499;
    expect(counts.of('a')).toBe(0);
  });
});
