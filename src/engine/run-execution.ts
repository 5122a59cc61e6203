import type { Clock } from '../domain/clock.ts';
import type { AttemptOutcome } from '../domain/outcome.ts';
import {
  MAX_RESPONSE_BODY_CHARACTERS,
  type AttemptTimings,
  type OutgoingRequest,
} from '../domain/outgoing-request.ts';
import { encodePublicId } from '../domain/public-id.ts';
import { maskHeaders, maskUrl } from '../domain/secrets.ts';
import { decideAfterAttempt, type AbortReason, type Resting } from '../domain/verdict.ts';
import type { Sender } from '../http/send-attempt.ts';
import type { ClaimedExecution } from '../store/claiming.ts';
import type { SentRequest, Settlement } from '../store/settling.ts';
import type { Settler } from './settler.ts';

export interface RunDeps {
  sender: Sender;
  settler: Settler;
  clock: Clock;
  /** A number in [0, 1) for the jitter of retries. */
  random: () => number;
}

/** Why a call is ended from our side. */
export type EndReason = AbortReason | 'leaseLost';

/**
 * Takes one claimed execution to its next resting state: send, decide, record.
 *
 * Never throws for what the target did; a refused connection is an outcome as a 500 is. It does throw when the
 * outcome cannot be recorded: the row then stays RUNNING until its lease ends and the rescuer, the only one who can
 * know, decides.
 *
 * @param signal aborted with an {@link EndReason}
 * @returns the status that was recorded; null where the claim was lost and another instance decides
 */
export async function runExecution(
  execution: ClaimedExecution,
  deps: RunDeps,
  signal: AbortSignal,
): Promise<Resting['status'] | null> {
  const request = requestOf(execution);
  const { outcome, timings } = await deps.sender.sendAttempt(request, {
    signal,
    timeoutMs: execution.timeoutMs,
  });
  const ended = outcome.kind === 'aborted' ? (signal.reason as EndReason) : null;
  if (ended === 'leaseLost') return null;
  const finishedAt = deps.clock.now();
  const resting = decideAfterAttempt(execution, outcome, ended, finishedAt, deps.random());
  const recorded = await deps.settler.settle(
    settlementOf(execution, request, outcome, timings, resting, finishedAt),
  );
  return recorded ? resting.status : null;
}

function requestOf(execution: ClaimedExecution): OutgoingRequest {
  return {
    executionId: encodePublicId('Execution', execution.id),
    jobId: encodePublicId('Job', execution.jobId),
    attempt: execution.attemptCount,
    scheduledAt: execution.scheduledAt,
    method: execution.method,
    url: execution.api,
    headers: execution.headers,
    body: execution.body,
    successStatuses: execution.successStatuses,
  };
}

function settlementOf(
  execution: ClaimedExecution,
  request: OutgoingRequest,
  outcome: AttemptOutcome,
  timings: AttemptTimings,
  resting: Resting,
  finishedAt: Date,
): Settlement {
  const response = outcome.kind === 'responded' ? outcome : null;
  const durationMs = Math.max(0, Math.round(timings.totalMs));
  return {
    executionId: execution.id,
    claimSeq: execution.claimSeq,
    status: resting.status,
    availableAt: resting.availableAt,
    attemptFinishedAt: finishedAt,
    attemptDurationMs: durationMs,
    failureReason: resting.failureReason,
    errorMessage: resting.errorMessage,
    responseStatus: response?.status ?? null,
    responseHeaders: response ? maskHeaders(response.headers) : null,
    responseBody: response?.body ?? null,
    responseTruncated: response?.bodyTruncated ?? false,
    timings,
    request: sentRequest(request),
    instanceLost: false,
    log: {
      level: resting.log.level,
      message: resting.log.message,
      metadata: {
        method: request.method,
        url: maskUrl(request.url),
        status: response?.status ?? null,
        durationMs,
      },
    },
  };
}

/** What is kept of a request: enough to see what was sent, without its secrets. */
function sentRequest({ method, url, headers, body }: OutgoingRequest): SentRequest {
  const text =
    body === null || body === undefined ? null : typeof body === 'string' ? body : JSON.stringify(body);
  return {
    method,
    url: maskUrl(url),
    headers: maskHeaders(headers),
    body: text === null ? null : text.slice(0, MAX_RESPONSE_BODY_CHARACTERS),
  };
}
