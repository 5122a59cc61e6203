import { decideRetry, type RetryPolicy } from '../execution/retry.ts';

/** What one try to send a delivery gave. `aborted` is ours: the process stops. */
export type SendResult =
  | { kind: 'sent' }
  | {
      kind: 'failed';
      /** For the delivery's `lastError`; holds nothing of the target but its host. */
      message: string;
      /** No later try can do better. */
      isFinal: boolean;
      /** The Retry-After header; null where there was none. */
      retryAfter: string | null;
    }
  | { kind: 'aborted' };

/** Where a try leaves its delivery. */
export type DeliveryMove =
  | { status: 'DELIVERED' }
  | { status: 'FAILED'; lastError: string }
  | { status: 'PENDING'; lastError: string | null; availableAt: Date };

/** The first waits are for a receiver that restarts, the last ones for somebody who has to be called. */
const BACKOFF: Omit<RetryPolicy, 'maxRetries'> = {
  backoffStrategy: 'EXPONENTIAL',
  initialDelayMs: 10_000,
  maxDelayMs: 3_600_000,
  jitter: 0.2,
  retryOn: [],
  respectRetryAfter: true,
};

/**
 * Decides what becomes of a delivery after a try.
 *
 * @param attempts tries begun, this one among them
 * @param jitterDraw a number in [0, 1)
 */
export function decideDelivery(
  result: SendResult,
  { attempts, maxAttempts }: { attempts: number; maxAttempts: number },
  now: Date,
  jitterDraw: number,
): DeliveryMove {
  if (result.kind === 'sent') return { status: 'DELIVERED' };
  if (result.kind === 'aborted') return { status: 'PENDING', lastError: null, availableAt: now };
  const { message: lastError, isFinal, retryAfter } = result;
  const policy = { ...BACKOFF, maxRetries: maxAttempts - 1 };
  const failed = { retryable: !isFinal, retriesUsed: attempts - 1, retryAfter };
  const decision = decideRetry(policy, failed, now, jitterDraw);
  return decision.kind === 'retry'
    ? { status: 'PENDING', lastError, availableAt: decision.availableAt }
    : { status: 'FAILED', lastError };
}
