import { longestBytes, longestHeaders, longestUrl } from '../../answer-sizes.ts';
import { HEADER_LIMITS } from '../../../domain/request/header-rules.ts';
import { MAX_TARGET_URL_LENGTH } from '../../../domain/request/target-url.ts';
import { JOB_LIMITS } from '../../../domain/job/job-limits.ts';
import { maskBody } from '../../../domain/request/masked-body.ts';
import { maskHeaders, maskUrl } from '../../../domain/request/secrets.ts';
import { builder } from '../../builder.ts';
import { HttpMethod, JobCompletion, ConcurrencyPolicy } from './job-enums.ts';
import { retryPolicyOf } from '../../../domain/execution/retry-policy-columns.ts';
import { POLICY_COLUMNS, RetryPolicy } from './retry-policy.ts';

import { Job } from './job.ts';

/** What a job calls, and how the outcome of a call is judged. */
builder.prismaObjectFields(Job, (t) => ({
  api: t.string({
    extensions: longestUrl(MAX_TARGET_URL_LENGTH),
    description: 'The URL that is called; passwords and secret parameters are shown as `***`.',
    select: { api: true },
    resolve: ({ api }) => maskUrl(api),
  }),
  method: t.expose('method', { type: HttpMethod, description: 'The method of the call.' }),
  headers: t.field({
    extensions: longestHeaders(JOB_LIMITS.headersBytes, HEADER_LIMITS.count),
    type: 'JSON',
    description:
      'Headers of the call, an object of names and values. Values of headers that carry credentials are shown as `***`; written back by an update, that leaves them as they are.',
    select: { headers: true },
    resolve: ({ headers }) => maskHeaders(headers as Record<string, string>),
  }),
  body: t.field({
    extensions: longestBytes(JOB_LIMITS.bodyBytes),
    type: 'JSON',
    nullable: true,
    description:
      'Body of the call: a text is sent as it is, any other value as JSON; null sends none. Texts of fields that look like credentials are shown as `***`; written back by an update, that leaves them as they are.',
    select: { body: true },
    resolve: ({ body }) => maskBody(body),
  }),
  timeoutMs: t.exposeInt('timeoutMs', { description: 'How long one attempt may take, in milliseconds.' }),
  successStatuses: t.exposeStringList('successStatuses', {
    description: 'Statuses that count as success, such as 200 or 2xx.',
  }),
  completion: t.expose('completion', {
    type: JobCompletion,
    description: 'What makes an attempt a success: the answer, or a callback after it.',
  }),
  completionTimeoutMs: t.exposeInt('completionTimeoutMs', {
    description:
      'How long after the answer a callback is awaited, in milliseconds; of no effect without CALLBACK.',
  }),
  retryPolicy: t.field({
    type: RetryPolicy,
    nullable: true,
    description: 'How failed attempts are repeated; null: a failed attempt is final.',
    select: POLICY_COLUMNS,
    resolve: retryPolicyOf,
  }),
  concurrencyPolicy: t.expose('concurrencyPolicy', {
    type: ConcurrencyPolicy,
    description: 'What happens when a run is due while earlier ones are not finished.',
  }),
  maxConcurrency: t.exposeInt('maxConcurrency', {
    nullable: true,
    description: 'Executions that may be unfinished at once; null: one, or any number under ALLOW.',
  }),
  priority: t.exposeInt('priority', {
    description:
      'Of executions that are due, those with the higher priority start first; those with trigger CATCH_UP after all others.',
  }),
}));
