import { DEFAULT_RETRY_STATUSES } from './outcome.ts';
import { retryAfterMs } from './retry-after.ts';
import { checkStatusPatterns } from '../request/status-pattern.ts';

export const BACKOFF_STRATEGIES = ['EXPONENTIAL', 'LINEAR', 'FIXED'] as const;
export type BackoffStrategy = (typeof BACKOFF_STRATEGIES)[number];

/** How a job's failed attempts are repeated. A job without a policy has one attempt and no retry. */
export type RetryPolicy = {
  /** Retries after the first attempt: at most `maxRetries + 1` calls are made. */
  maxRetries: number;
  backoffStrategy: BackoffStrategy;
  initialDelayMs: number;
  /** No wait is longer than this, whatever the strategy gives or Retry-After asks for. */
  maxDelayMs: number;
  /** Share of the delay that is random, 0 to 1: the wait lies between `delay × (1 − jitter)` and `delay`. */
  jitter: number;
  /** Status patterns that are retried. */
  retryOn: readonly string[];
  respectRetryAfter: boolean;
};

/** What a policy is where its fields are left out. */
export const DEFAULT_RETRY_POLICY: RetryPolicy = {
  maxRetries: 3,
  backoffStrategy: 'EXPONENTIAL',
  initialDelayMs: 1_000,
  maxDelayMs: 60_000,
  jitter: 0,
  retryOn: DEFAULT_RETRY_STATUSES,
  respectRetryAfter: true,
};

/** The bounds of a policy's numbers, both ends allowed. */
export const RETRY_LIMITS = {
  /** Each retry is a row in the history; a hundred of one slot is beyond what anybody will read. */
  maxRetries: { min: 0, max: 100 },
  /**
   * Above 2^31 − 1 ms (24.8 days) a Node timer fires at once instead of late, and GraphQL's Int ends there. Zero
   * would let a failing target be called in a tight loop.
   */
  delayMs: { min: 1, max: 2 ** 31 - 1 },
  jitter: { min: 0, max: 1 },
} as const;

/** A failed attempt, as far as the decision needs it. */
export type FailedAttempt = {
  /** `classifyOutcome` gave `retryableFailure`. */
  retryable: boolean;
  /** Retries made before this failure: 0 after the first attempt. */
  retriesUsed: number;
  /** The Retry-After header of the response; null where there was none. */
  retryAfter: string | null;
};

export type RetryDecision =
  | { kind: 'retry'; delayMs: number; availableAt: Date }
  | { kind: 'giveUp'; reason: 'noPolicy' | 'notRetryable' | 'retriesExhausted' };

/**
 * Decides what a failed attempt leads to. Reads no clock and draws no random number: the caller passes both, so one
 * line of a test pins one result.
 *
 * @param policy null where the job has none: it is never retried
 * @param jitterDraw a number in [0, 1); 0 leaves the delay as computed
 */
export function decideRetry(
  policy: RetryPolicy | null,
  failed: FailedAttempt,
  now: Date,
  jitterDraw: number,
): RetryDecision {
  if (policy === null) return { kind: 'giveUp', reason: 'noPolicy' };
  if (!failed.retryable) return { kind: 'giveUp', reason: 'notRetryable' };
  if (failed.retriesUsed >= policy.maxRetries) return { kind: 'giveUp', reason: 'retriesExhausted' };

  const delayMs = retryDelayMs(policy, failed, now, jitterDraw);
  return { kind: 'retry', delayMs, availableAt: new Date(now.getTime() + delayMs) };
}

/**
 * The wait before the next attempt, whole milliseconds, never above the policy's `maxDelayMs`.
 *
 * Retry-After is the least that the target asks for: it lengthens a wait but does not shorten one, so that a target
 * saying 0 cannot undo the backoff. Jitter only takes away from the computed delay, before Retry-After is applied:
 * a call made earlier than the target asked for would be wasted.
 */
function retryDelayMs(policy: RetryPolicy, failed: FailedAttempt, now: Date, jitterDraw: number): number {
  const backoff = backoffMs(policy, failed.retriesUsed) * (1 - policy.jitter * jitterDraw);
  const asked = policy.respectRetryAfter ? (retryAfterMs(failed.retryAfter, now) ?? 0) : 0;
  return Math.round(Math.min(Math.max(backoff, asked), policy.maxDelayMs, RETRY_LIMITS.delayMs.max));
}

function backoffMs(
  { backoffStrategy, initialDelayMs, maxDelayMs }: RetryPolicy,
  retriesUsed: number,
): number {
  switch (backoffStrategy) {
    case 'EXPONENTIAL':
      // Past 2^31 the product only grows towards Infinity, and Infinity is no timestamp.
      return Math.min(initialDelayMs * 2 ** Math.min(retriesUsed, 31), maxDelayMs);
    case 'LINEAR':
      return Math.min(initialDelayMs * (retriesUsed + 1), maxDelayMs);
    case 'FIXED':
      return Math.min(initialDelayMs, maxDelayMs);
  }
}

/** One field of a policy that is outside its limits. */
export type RetryPolicyIssue = { field: keyof RetryPolicy; message: string };

/** Checks a policy as a user wrote it. All that is wrong is named, not only the first. */
export function checkRetryPolicy(policy: RetryPolicy): RetryPolicyIssue[] {
  const issues: RetryPolicyIssue[] = [];
  const checkNumber = (
    field: 'maxRetries' | 'initialDelayMs' | 'maxDelayMs' | 'jitter',
    limit: Limit,
    whole: boolean,
  ) => {
    const value = policy[field];
    if (value >= limit.min && value <= limit.max && (!whole || Number.isInteger(value))) return;
    const kind = whole ? 'a whole number' : 'a number';
    issues.push({ field, message: `Must be ${kind} from ${limit.min} to ${limit.max}; it is ${value}.` });
  };
  checkNumber('maxRetries', RETRY_LIMITS.maxRetries, true);
  checkNumber('initialDelayMs', RETRY_LIMITS.delayMs, true);
  checkNumber('maxDelayMs', RETRY_LIMITS.delayMs, true);
  checkNumber('jitter', RETRY_LIMITS.jitter, false);

  if (!BACKOFF_STRATEGIES.includes(policy.backoffStrategy)) {
    issues.push({ field: 'backoffStrategy', message: `Must be one of ${BACKOFF_STRATEGIES.join(', ')}.` });
  }
  const patternIssue = checkStatusPatterns(policy.retryOn, { allowEmpty: true });
  if (patternIssue) issues.push({ field: 'retryOn', message: patternIssue.message });
  return issues;
}

type Limit = { min: number; max: number };
