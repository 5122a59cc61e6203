import type { CallbackClaim } from '../../domain/execution/callback-token.ts';
import type { Clock } from '../../domain/values/clock.ts';
import { keptRequest } from '../../domain/request/kept-request.ts';
import {
  keptTimings,
  MAX_RESPONSE_BODY_CHARACTERS,
  type OutgoingRequest,
} from '../../domain/request/outgoing-request.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { maskHeaders } from '../../domain/request/secrets.ts';
import {
  decideAfterAttempt,
  decideUncalled,
  type AbortReason,
  type NextState,
  type UncalledReason,
} from '../../domain/execution/verdict.ts';
import type { Sender, SentAttempt } from '../../http/send-attempt.ts';
import { sendFilled } from '../../http/send-filled.ts';
import type { StopSignal } from '../../http/stop-signal.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import { NO_ANSWER, type Settlement } from '../../store/executions/settling.ts';
import { createLogger } from '../../logging/logger.ts';
import { awaitCallback } from './await-callback.ts';
import { logIds } from './log-ids.ts';
import type { Settler } from './settler.ts';
import { templateValuesOf } from './template-values.ts';

const logger = createLogger('Worker');

export interface RunDeps {
  sender: Sender;
  settler: Settler;
  clock: Clock;
  /** A number in [0, 1) for the jitter of retries. */
  random: () => number;
  /** The URL for an attempt's callback. */
  callbackUrl: (attempt: CallbackClaim) => string;
}

/** Why this instance ends a call. */
export type EndReason = AbortReason | 'leaseLost';

/** The listeners of a call. */
export interface CallListeners {
  /** The call is over. Its outcome is not recorded yet. */
  onCallEnded: () => void;
  /** The call failed because of this instance, not its target. */
  onInstanceFault: () => void;
}

/**
 * Sends the call of one claimed execution, decides about its next state and records it.
 *
 * Never throws for an answer of the target: a refused connection is an outcome like a 500. It throws when the outcome
 * is not recorded before the instance ends. Then the row stays RUNNING until its lease ends and the rescuer decides.
 *
 * @returns the recorded status, RUNNING while it waits for the callback; null when the claim is lost and another
 *   instance decides
 */
export function runExecution(
  execution: ClaimedExecution,
  deps: RunDeps,
  signal: StopSignal<EndReason>,
  listeners: CallListeners,
): Promise<Recorded> {
  // Two parts. So the request and the answer can leave memory while the outcome waits for its record.
  return callTarget(execution, deps, signal, listeners).then(({ recording }) => recording);
}

/** The recorded status; null when the claim was lost. */
type Recorded = NextState['status'] | 'RUNNING' | null;

/** @returns the record in an object, because `await` would wait for a bare promise */
async function callTarget(
  execution: ClaimedExecution,
  deps: RunDeps,
  signal: StopSignal<EndReason>,
  { onCallEnded, onInstanceFault }: CallListeners,
): Promise<{ recording: Recorded | Promise<Recorded> }> {
  const request = requestOf(execution, deps);
  const options = { signal, timeoutMs: execution.timeoutMs };
  const sent = await sendFilled(deps.sender, request, () => templateValuesOf(execution), options).finally(
    onCallEnded,
  );
  if (sent.outcome.kind === 'instanceFault') {
    onInstanceFault();
    logger.warn('A call could not be made; its execution is given back', {
      ...logIds({ executionId: execution.id, jobId: execution.jobId }),
      reason: sent.outcome.message,
    });
    return { recording: recordUncalled(execution, deps, 'instanceFault') };
  }
  const ended = sent.outcome.kind === 'aborted' ? endReasonOf(signal) : null;
  if (ended === 'leaseLost') return { recording: null };
  const finishedAt = deps.clock.now();
  const resting = decideAfterAttempt(execution, sent.outcome, ended, finishedAt, deps.random());
  const settlement = settlementOf(execution, sent, resting, finishedAt);
  if (execution.completion === 'CALLBACK' && resting.status === 'SUCCESS')
    return { recording: awaitCallback(execution, settlement, deps.settler) };
  return { recording: recordedAs(resting.status, deps.settler.settle(settlement)) };
}

async function recordedAs(status: NextState['status'], settled: Promise<boolean>): Promise<Recorded> {
  return (await settled) ? status : null;
}

/**
 * Records that a claim has ended without a call.
 *
 * @returns the recorded status; null when the claim is lost and another instance decides
 */
export async function recordUncalled(
  execution: Pick<ClaimedExecution, 'id' | 'claimSeq'>,
  { settler, clock }: { settler: Pick<Settler, 'settle'>; clock: Clock },
  reason: UncalledReason | 'leaseLost',
): Promise<Recorded> {
  if (reason === 'leaseLost') return null;
  const resting = decideUncalled(reason);
  const settlement: Settlement = {
    attemptDurationMs: null,
    log: { metadata: null, ...resting.log },
    ...endOf(execution, resting, clock.now()),
    ...NO_ANSWER,
  };
  return recordedAs(resting.status, settler.settle(settlement));
}

/** A call without a reason ended because the sender was closed, which also means a shutdown. */
function endReasonOf({ reason }: StopSignal<EndReason>): EndReason {
  return reason ?? 'shutdown';
}

function requestOf(
  execution: ClaimedExecution,
  { callbackUrl }: Pick<RunDeps, 'callbackUrl'>,
): OutgoingRequest {
  const { id: executionId, attemptCount: attempt, claimSeq } = execution;
  return {
    executionId: encodePublicId('Execution', executionId),
    jobId: encodePublicId('Job', execution.jobId),
    attempt,
    scheduledAt: execution.scheduledAt,
    method: execution.method,
    url: execution.api,
    headers: execution.headers,
    body: execution.body,
    successStatuses: execution.successStatuses,
    callbackUrl: execution.completion === 'CALLBACK' ? callbackUrl({ executionId, attempt, claimSeq }) : null,
    atMostOnce: execution.jobType === 'ATMOST_ONCE',
  };
}

function settlementOf(
  execution: ClaimedExecution,
  { outcome, timings, request }: SentAttempt,
  resting: NextState,
  finishedAt: Date,
): Settlement {
  const response = outcome.kind === 'responded' ? outcome : null;
  const durationMs = Math.max(0, Math.round(timings.totalMs));
  return {
    attemptDurationMs: durationMs,
    responseStatus: response?.status ?? null,
    responseHeaders: response ? maskHeaders(response.headers) : null,
    responseBody: response?.body ?? null,
    responseTruncated: response?.bodyTruncated ?? false,
    timings: keptTimings(timings),
    request: keptRequest({
      ...request,
      body: request.body === null ? null : request.body.slice(0, MAX_RESPONSE_BODY_CHARACTERS),
    }),
    // The log line needs no metadata: the message has the status, and other columns have the timings and the request.
    log: { metadata: null, ...resting.log },
    ...endOf(execution, resting, finishedAt),
  };
}

/** The fields of a settlement that come from the decision. */
function endOf(
  { id, claimSeq }: Pick<ClaimedExecution, 'id' | 'claimSeq'>,
  { status, availableAt, failureReason, errorMessage }: NextState,
  attemptFinishedAt: Date,
) {
  return {
    executionId: id,
    claimSeq,
    status,
    availableAt,
    attemptFinishedAt,
    failureReason,
    errorMessage,
    instanceLost: false,
  };
}
