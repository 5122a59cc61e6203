import { beforeEach, describe, expect, it } from 'vitest';
import { createRecentStarts, type RecentStarts } from '../../../src/engine/running/recent-starts.ts';

let nowMs: number;
let calls: RecentStarts;

beforeEach(() => {
  nowMs = 1_000;
  calls = createRecentStarts(() => nowMs);
});

describe('calls that have just started', () => {
  it('are the running ones that started within the last twenty milliseconds, or ten', () => {
    expect(calls.any()).toBe(false);
    calls.begin();
    nowMs = 1_019;
    expect(calls.any()).toBe(true);
    nowMs = 1_020;
    expect(calls.any()).toBe(false);
    calls.begin();
    nowMs = 5_000;
    expect(calls.any()).toBe(false);
  });

  it('are none once they have ended, whatever else is running for longer', () => {
    const long = calls.begin();
    nowMs = 2_000;
    const [one, other] = [calls.begin(), calls.begin()];
    calls.end(one);
    expect(calls.any()).toBe(true);
    nowMs = 2_012;
    calls.end(other);
    expect(calls.any()).toBe(false);
    calls.end(long);
    expect(calls.any()).toBe(false);
  });
});
