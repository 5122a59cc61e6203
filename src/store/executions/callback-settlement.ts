import type { NextState } from '../../domain/execution/verdict.ts';
import type { AwaitedExecution } from './callbacks.ts';
import type { Settlement } from './settling.ts';

/** The column's maximum is 24.8 days. After a longer outage nobody needs the exact number. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** The output of a callback; null when only the answer to the call exists. */
export interface CallbackOutput {
  body: string;
  truncated: boolean;
}

/**
 * The settlement of an attempt that waited for its callback. It began with the call and ends now. Its history shows
 * the answer to the call, with the callback's body instead of the answer's body.
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
    // Until the answer is recorded, the columns still show the earlier attempt.
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
