import type { BackoffStrategy, RetryPolicy } from './retry.ts';

/** The retry columns of a job: all null, or all set but for `retryOn`, which a row without a policy has empty. */
export interface RetryPolicyColumns {
  maxRetries: number | null;
  backoffStrategy: BackoffStrategy | null;
  initialDelayMs: number | null;
  maxDelayMs: number | null;
  retryJitter: number | null;
  retryOn: string[];
  respectRetryAfter: boolean | null;
}

/** The policy that the columns hold; null where the job has none. */
export function retryPolicyOf(row: RetryPolicyColumns): RetryPolicy | null {
  const { maxRetries, backoffStrategy, initialDelayMs, maxDelayMs, retryJitter, respectRetryAfter } = row;
  if (
    maxRetries === null ||
    backoffStrategy === null ||
    initialDelayMs === null ||
    maxDelayMs === null ||
    retryJitter === null ||
    respectRetryAfter === null
  ) {
    return null;
  }
  return {
    maxRetries,
    backoffStrategy,
    initialDelayMs,
    maxDelayMs,
    jitter: retryJitter,
    retryOn: row.retryOn,
    respectRetryAfter,
  };
}

/** The columns of a policy, for writing. */
export function retryPolicyColumns(policy: RetryPolicy | null): RetryPolicyColumns {
  return {
    maxRetries: policy?.maxRetries ?? null,
    backoffStrategy: policy?.backoffStrategy ?? null,
    initialDelayMs: policy?.initialDelayMs ?? null,
    maxDelayMs: policy?.maxDelayMs ?? null,
    retryJitter: policy?.jitter ?? null,
    retryOn: policy ? [...policy.retryOn] : [],
    respectRetryAfter: policy?.respectRetryAfter ?? null,
  };
}
