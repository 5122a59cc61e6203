import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DEFAULT_RETRY_POLICY,
  RETRY_LIMITS,
  checkRetryPolicy,
  decideRetry,
} from '../../../src/domain/execution/retry.ts';
import type { BackoffStrategy, FailedAttempt, RetryPolicy } from '../../../src/domain/execution/retry.ts';

const now = new Date('2030-01-01T00:00:00.000Z');

function policy(parts: Partial<RetryPolicy> = {}): RetryPolicy {
  return { ...DEFAULT_RETRY_POLICY, maxRetries: 100, ...parts };
}

function failed(parts: Partial<FailedAttempt> = {}): FailedAttempt {
  return { retryable: true, retriesUsed: 0, retryAfter: null, ...parts };
}

function delayMs(parts: Partial<RetryPolicy>, attempt: Partial<FailedAttempt>, jitterDraw = 0): number {
  const decision = decideRetry(policy(parts), failed(attempt), now, jitterDraw);
  if (decision.kind !== 'retry') throw new Error(`gave up: ${decision.reason}`);
  return decision.delayMs;
}

function delays(strategy: BackoffStrategy, count: number): number[] {
  const parts = { backoffStrategy: strategy, initialDelayMs: 1_000, maxDelayMs: 10_000 };
  return Array.from({ length: count }, (_, retriesUsed) => delayMs(parts, { retriesUsed }));
}

describe('decideRetry', () => {
  it('gives up without a policy', () => {
    expect(decideRetry(null, failed(), now, 0)).toEqual({ kind: 'giveUp', reason: 'noPolicy' });
  });

  it('gives up a failure that is not retryable, even with retries left', () => {
    expect(decideRetry(policy(), failed({ retryable: false }), now, 0)).toEqual({
      kind: 'giveUp',
      reason: 'notRetryable',
    });
  });

  it('makes exactly as many retries as the policy has', () => {
    const kinds = [0, 1, 2, 3].map((retriesUsed) =>
      decideRetry(policy({ maxRetries: 2 }), failed({ retriesUsed }), now, 0),
    );
    expect(kinds.map(({ kind }) => kind)).toEqual(['retry', 'retry', 'giveUp', 'giveUp']);
    expect(kinds[2]).toEqual({ kind: 'giveUp', reason: 'retriesExhausted' });
  });

  it('makes none when the policy has zero', () => {
    expect(decideRetry(policy({ maxRetries: 0 }), failed(), now, 0)).toEqual({
      kind: 'giveUp',
      reason: 'retriesExhausted',
    });
  });

  it('counts the wait from now', () => {
    const decision = decideRetry(policy({ initialDelayMs: 1_500 }), failed(), now, 0);
    expect(decision).toEqual({
      kind: 'retry',
      delayMs: 1_500,
      availableAt: new Date('2030-01-01T00:00:01.500Z'),
    });
  });

  it('doubles the wait with EXPONENTIAL, up to the cap', () => {
    expect(delays('EXPONENTIAL', 6)).toEqual([1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  });

  it('adds to the wait with LINEAR, up to the cap', () => {
    expect(delays('LINEAR', 12)).toEqual(
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10].map((seconds) => seconds * 1_000),
    );
  });

  it('keeps the wait with FIXED', () => {
    expect(delays('FIXED', 3)).toEqual([1_000, 1_000, 1_000]);
  });

  it('limits a first delay above the cap to the cap', () => {
    expect(delayMs({ backoffStrategy: 'FIXED', initialDelayMs: 9_000, maxDelayMs: 500 }, {})).toBe(500);
  });

  it('subtracts the jitter share from the delay', () => {
    const parts = { initialDelayMs: 10_000, jitter: 0.2 };
    expect(delayMs(parts, {}, 0)).toBe(10_000);
    expect(delayMs(parts, {}, 0.5)).toBe(9_000);
    expect(delayMs(parts, {}, 0.999_999_9)).toBe(8_000);
  });

  it('results in a valid instant for every policy within the limits', () => {
    const { delayMs: limit, maxRetries } = RETRY_LIMITS;
    fc.assert(
      fc.property(
        fc.constantFrom<BackoffStrategy>('EXPONENTIAL', 'LINEAR', 'FIXED'),
        fc.integer(limit),
        fc.integer(limit),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 0, max: maxRetries.max - 1 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        fc.option(fc.oneof(fc.string(), fc.nat().map(String))),
        (backoffStrategy, initialDelayMs, maxDelayMs, jitter, retriesUsed, draw, retryAfter) => {
          const wait = delayMs(
            { backoffStrategy, initialDelayMs, maxDelayMs, jitter },
            { retriesUsed, retryAfter },
            draw,
          );
          expect(Number.isInteger(wait)).toBe(true);
          expect(wait).toBeGreaterThanOrEqual(0);
          expect(wait).toBeLessThanOrEqual(maxDelayMs);
        },
      ),
    );
  });
});

describe('decideRetry with Retry-After', () => {
  const parts = { initialDelayMs: 1_000, maxDelayMs: 60_000 };

  it('waits as long as the target asks', () => {
    expect(delayMs(parts, { retryAfter: '30' })).toBe(30_000);
    expect(delayMs(parts, { retryAfter: 'Tue, 01 Jan 2030 00:00:30 GMT' })).toBe(30_000);
  });

  it('waits no longer than the cap', () => {
    expect(delayMs(parts, { retryAfter: '86400' })).toBe(60_000);
    expect(delayMs(parts, { retryAfter: 'Fri, 01 Jan 2100 00:00:00 GMT' })).toBe(60_000);
    expect(delayMs(parts, { retryAfter: '9'.repeat(60) })).toBe(60_000);
  });

  it.each(['0', 'Mon, 01 Jan 2029 00:00:00 GMT', 'soon', '-5', '1.5', ''])(
    'uses the backoff for %j',
    (retryAfter) => {
      expect(delayMs(parts, { retryAfter })).toBe(1_000);
    },
  );

  it('ignores it when the policy does not respect it', () => {
    expect(delayMs({ ...parts, respectRetryAfter: false }, { retryAfter: '30' })).toBe(1_000);
  });

  it('does not shorten it by jitter', () => {
    expect(delayMs({ ...parts, jitter: 1 }, { retryAfter: '30' }, 0.9)).toBe(30_000);
  });
});

describe('checkRetryPolicy', () => {
  it('finds no error in the defaults, nor at the limits', () => {
    expect(checkRetryPolicy(DEFAULT_RETRY_POLICY)).toEqual([]);
    expect(
      checkRetryPolicy(policy({ maxRetries: 0, initialDelayMs: 1, maxDelayMs: 1, jitter: 1, retryOn: [] })),
    ).toEqual([]);
    const most = 2 ** 31 - 1;
    expect(checkRetryPolicy(policy({ maxRetries: 100, initialDelayMs: most, maxDelayMs: most }))).toEqual([]);
  });

  it.each<[keyof RetryPolicy, unknown]>([
    ['maxRetries', -1],
    ['maxRetries', 101],
    ['maxRetries', 1.5],
    ['maxRetries', NaN],
    ['initialDelayMs', 0],
    ['initialDelayMs', 2 ** 31],
    ['initialDelayMs', Infinity],
    ['maxDelayMs', -5],
    ['maxDelayMs', NaN],
    ['jitter', 1.01],
    ['jitter', -0.1],
    ['jitter', NaN],
    ['backoffStrategy', 'RANDOM'],
    ['retryOn', ['5xx', 'oops']],
  ])('names %s when it is %s', (field, value) => {
    const issues = checkRetryPolicy({ ...policy(), [field]: value });
    expect(issues.map((issue) => issue.field)).toEqual([field]);
  });

  it('names every field that is wrong', () => {
    const issues = checkRetryPolicy(policy({ maxRetries: -1, jitter: 7 }));
    expect(issues.map(({ field }) => field)).toEqual(['maxRetries', 'jitter']);
  });
});
