import type { RetryPolicy as RetryPolicyShape } from '../../../domain/execution/retry.ts';
import type { RetryPolicyColumns } from '../../../domain/execution/retry-policy-columns.ts';
import { builder } from '../../builder.ts';
import { BackoffStrategy } from './job-enums.ts';

export const RetryPolicy = builder.objectRef<RetryPolicyShape>('RetryPolicy').implement({
  description: 'How failed attempts of a job are repeated.',
  fields: (t) => ({
    maxRetries: t.exposeInt('maxRetries', { description: 'Retries after the first attempt.' }),
    backoffStrategy: t.expose('backoffStrategy', {
      type: BackoffStrategy,
      description: 'How the wait grows.',
    }),
    initialDelayMs: t.exposeInt('initialDelayMs', { description: 'The first wait, in milliseconds.' }),
    maxDelayMs: t.exposeInt('maxDelayMs', {
      description: 'No wait is longer, in milliseconds, whatever the strategy gives or the target asks for.',
    }),
    jitter: t.exposeFloat('jitter', { description: 'Share of the delay that is random, 0 to 1.' }),
    retryOn: t.stringList({
      description:
        'Statuses that are retried, such as 429 or 5xx; others that are not successful fail at once.',
      resolve: ({ retryOn }) => [...retryOn],
    }),
    respectRetryAfter: t.exposeBoolean('respectRetryAfter', {
      description: 'Whether a Retry-After header lengthens the wait, up to `maxDelayMs`.',
    }),
  }),
});

/** The columns that hold a job's policy, as Prisma selects them. */
export const POLICY_COLUMNS = {
  maxRetries: true,
  backoffStrategy: true,
  initialDelayMs: true,
  maxDelayMs: true,
  retryJitter: true,
  retryOn: true,
  respectRetryAfter: true,
} as const satisfies Record<keyof RetryPolicyColumns, true>;
