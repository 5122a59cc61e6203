import { describe, expect, it } from 'vitest';
import {
  admit,
  concurrencyLimit,
  isLimited,
  MAX_BLOCKED,
  NO_LOAD,
  type ConcurrencyPolicy,
} from '../../../src/domain/job/concurrency.ts';

const rule = (concurrencyPolicy: ConcurrencyPolicy, maxConcurrency: number | null = null) => ({
  concurrencyPolicy,
  maxConcurrency,
});

describe('the maximum number of unfinished executions', () => {
  it.each([
    ['ALLOW', null, Infinity],
    ['FORBID', null, 1],
    ['QUEUE', null, 1],
    ['REPLACE', null, 1],
    ['ALLOW', 3, 3],
    ['FORBID', 3, 3],
  ] as const)('is, for %s with maxConcurrency %s, %s', (policy, max, expected) => {
    expect(concurrencyLimit(rule(policy, max))).toBe(expected);
    expect(isLimited(rule(policy, max))).toBe(expected !== Infinity);
  });
});

describe('admission', () => {
  const oneRunning = { ...NO_LOAD, running: 1 };

  it.each(['ALLOW', 'FORBID', 'QUEUE', 'REPLACE'] as const)('runs the first execution under %s', (policy) => {
    expect(admit(rule(policy), NO_LOAD)).toBe('run');
  });

  it.each([
    ['ALLOW', 'run'],
    ['FORBID', 'skip'],
    ['QUEUE', 'block'],
    ['REPLACE', 'replace'],
  ] as const)('next to a running one is, under %s, %s', (policy, expected) => {
    expect(admit(rule(policy), oneRunning)).toBe(expected);
  });

  it('counts one that waits for its retry as unfinished', () => {
    expect(admit(rule('FORBID'), { ...NO_LOAD, waiting: 1 })).toBe('skip');
  });

  it('allows no execution to pass those that are blocked already', () => {
    expect(admit(rule('ALLOW', 2), { ...NO_LOAD, running: 1, blocked: 1 })).toBe('block');
  });

  it('skips when too many are blocked', () => {
    expect(admit(rule('QUEUE'), { ...NO_LOAD, running: 1, blocked: MAX_BLOCKED })).toBe('skip');
  });
});
