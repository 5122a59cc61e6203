import type { NextState } from '../../domain/execution/verdict.ts';
import type { AwaitedExecution } from './callbacks.ts';
import type { Settlement } from './settling.ts';

/** The column ends at 24.8 days: after an outage longer than that the exact figure is of no use to anybody. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** What a callback left behind; null where the answer to the call is all there is. */
export interface CallbackOutput {
  body: string;
  truncated: boolean;
}

/**
 * How an attempt ended whose callback was awaited. It began with the call and ends now; its history shows the answer to
 * the call and, in the place of its body, what was called back with.
 */
export function settlementOfWait(
  execution: AwaitedExecution,
  resting: NextState,
  now: Date,
  output: CallbackOutput | null = null,
): Settlement {
  const { response } = execution;
  return {
    executionId: execution.id,
    claimSeq: execution.claimSeq,
    status: resting.status,
    availableAt: resting.availableAt,
    attemptFinishedAt: now,
    attemptDurationMs: durationMs(execution.attemptStartedAt, now),
    failureReason: resting.failureReason,
    errorMessage: resting.errorMessage,
    // Until the answer is recorded the columns still show the attempt before.
    responseStatus: response ? execution.responseStatus : null,
    responseHeaders: response?.headers ?? null,
    responseBody: output?.body ?? (response ? execution.responseBody : null),
    responseTruncated: output?.truncated ?? (response !== null && execution.responseTruncated),
    timings: response?.timings ?? null,
    request: null,
    instanceLost: false,
    log: { metadata: null, ...resting.log },
  };
}

function durationMs(from: Date, to: Date): number {
  return Math.min(Math.max(to.getTime() - from.getTime(), 0), MAX_DURATION_MS);
}
