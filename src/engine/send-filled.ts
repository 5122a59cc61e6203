import type { OutgoingRequest } from '../domain/outgoing-request.ts';
import { encodePublicId } from '../domain/public-id.ts';
import type { TemplateValues } from '../domain/template.ts';
import { fillRequest, hasTemplates, TemplateError } from '../domain/template-request.ts';
import { encodeBody, showRequest } from '../http/request-headers.ts';
import type { CallOptions, Sender, SentAttempt } from '../http/send-attempt.ts';
import type { ClaimedExecution } from '../store/claiming.ts';

/**
 * Makes an attempt's call, its templates filled. One that cannot be filled is an outcome as one that cannot be sent is:
 * commands refuse such jobs, but what a value makes of a template is known only now.
 */
export async function sendFilled(
  sender: Sender,
  execution: ClaimedExecution,
  request: OutgoingRequest,
  options: CallOptions,
): Promise<SentAttempt> {
  if (!hasTemplates(request)) return sender.sendAttempt(request, options);
  try {
    const filled = fillRequest(request, valuesOf(execution));
    return await sender.sendAttempt({ ...request, ...filled }, options);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return {
      outcome: { kind: 'failed', reason: 'INVALID_REQUEST', message: error.message },
      timings: { ...NO_TIME },
      request: showRequest(request, request.headers, encodeBody(request.body)),
    };
  }
}

const NO_TIME = {
  dnsMs: null,
  connectMs: null,
  tlsMs: null,
  firstByteMs: null,
  downloadMs: null,
  totalMs: 0,
} as const;

function valuesOf({
  id,
  scheduledAt,
  jobId,
  jobName,
  attemptCount,
  upstream,
}: ClaimedExecution): TemplateValues {
  return {
    'execution.id': encodePublicId('Execution', id),
    'execution.scheduledAt': scheduledAt?.toISOString() ?? '',
    'job.id': encodePublicId('Job', jobId),
    'job.name': jobName,
    'attempt.number': String(attemptCount),
    'trigger.executionId': upstream ? encodePublicId('Execution', upstream.executionId) : '',
    'trigger.jobId': upstream ? encodePublicId('Job', upstream.jobId) : '',
    'trigger.status': upstream?.status ?? '',
    'trigger.responseStatus': upstream?.responseStatus?.toString() ?? '',
    'trigger.body': upstream?.body ?? '',
  };
}
