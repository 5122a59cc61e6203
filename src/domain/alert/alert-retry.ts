import { decideRetry, type RetryPolicy } from '../execution/retry.ts';

/** The result of one try to send a delivery. `aborted` means that our process stops. */
export type SendResult =
  | { kind: 'sent' }
  | {
      kind: 'failed';
      /** For the delivery's `lastError`. It shows only the host of the target. */
      message: string;
      /** No later try can succeed. */
      isFinal: boolean;
      /** The Retry-After header; null when there was none. */
      retryAfter: string | null;
    }
  | { kind: 'aborted' };

/** The state of a delivery after a try. */
export type DeliveryMove =
  | { status: 'DELIVERED' }
  | { status: 'FAILED'; lastError: string }
  | { status: 'PENDING'; lastError: string | null; availableAt: Date };

/** The first waits give a receiver time to restart. The last waits give people time to repair it. */
const BACKOFF: Omit<RetryPolicy, 'maxRetries'> = {
  backoffStrategy: 'EXPONENTIAL',
  initialDelayMs: 10_000,
  maxDelayMs: 3_600_000,
  jitter: 0.2,
  retryOn: [],
  respectRetryAfter: true,
};

/**
 * Decides the state of a delivery after a try.
 *
 * @param attempts tries so far, with this one
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
