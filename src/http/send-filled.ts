import { IDENTITY_HEADERS } from '../domain/request/header-rules.ts';
import type { OutgoingRequest } from '../domain/request/outgoing-request.ts';
import type { TemplateValues } from '../domain/request/template.ts';
import { fillRequest, hasTemplates, TemplateError } from '../domain/request/template-request.ts';
import { encodeBody, showRequest } from './request-headers.ts';
import type { CallOptions, Sender, SentAttempt } from './send-attempt.ts';
import { NO_PHASES } from './timings.ts';

/**
 * Makes an attempt's call, its templates filled. One that cannot be filled is an outcome as one that cannot be sent is:
 * commands refuse such jobs, but what a value makes of a template is known only now.
 *
 * @param values asked for only where there is something to fill
 */
export async function sendFilled(
  sender: Sender,
  request: OutgoingRequest,
  values: () => TemplateValues,
  options: CallOptions,
): Promise<SentAttempt> {
  if (!hasTemplates(request)) return sender.sendAttempt(request, options);
  try {
    const filled = fillRequest(request, values());
    return await sender.sendAttempt({ ...request, ...filled }, options);
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return {
      outcome: { kind: 'failed', reason: 'INVALID_REQUEST', message: error.message },
      timings: { ...NO_PHASES, totalMs: 0 },
      request: showRequest(request, withoutIdentity(request.headers), encodeBody(request.body)),
    };
  }
}

/** A job's own headers, but for those that are never sent: they would make the request look like one that was. */
function withoutIdentity(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => !IDENTITY_HEADERS.has(name.toLowerCase())),
  );
}
