import { beforeEach, describe, expect, it } from 'vitest';
import { createJustBegun, type JustBegun } from '../../src/engine/just-begun.ts';

let nowMs: number;
let calls: JustBegun;

beforeEach(() => {
  nowMs = 1_000;
  calls = createJustBegun(() => nowMs);
});

describe('calls that have just begun', () => {
  it('are those under way that began within the last twenty milliseconds, or ten', () => {
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

  it('are none once they have ended, whatever else is under way for longer', () => {
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
