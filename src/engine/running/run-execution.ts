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
  /** Where the target of an attempt calls back. */
  callbackUrl: (attempt: CallbackClaim) => string;
}

/** Why a call is ended from our side. */
export type EndReason = AbortReason | 'leaseLost';

/** Who is told of a call. */
export interface CallListeners {
  /** The call is over, and its outcome is still to be recorded. */
  onCallEnded: () => void;
  /** The call could not be made, through no fault of its target. */
  onInstanceFault: () => void;
}

/**
 * Takes one claimed execution to its next resting state: send, decide, record.
 *
 * Never throws for what the target did; a refused connection is an outcome as a 500 is. It does throw when the
 * outcome is not recorded before the instance ends: the row then stays RUNNING until its lease ends and the rescuer decides.
 *
 * @returns the status that was recorded, RUNNING where the callback is awaited; null where the claim was lost and
 *   somebody else decides
 */
export function runExecution(
  execution: ClaimedExecution,
  deps: RunDeps,
  signal: StopSignal<EndReason>,
  listeners: CallListeners,
): Promise<Recorded> {
  // In two parts, so that what the call had, request and answer, is let go of while its outcome waits to be recorded.
  return callTarget(execution, deps, signal, listeners).then(({ recording }) => recording);
}

/** What was recorded; null where the claim was lost. */
type Recorded = NextState['status'] | 'RUNNING' | null;

/** @returns what will be recorded, in an object: a promise by itself would be waited for. */
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
 * @returns the status that was recorded; null where the claim was lost and somebody else decides
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

/** A call that ended because the sender was closed has no reason: that, too, is a shutdown. */
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
    // The message has the status, the timings have the duration, and the request what it asked for.
    log: { metadata: null, ...resting.log },
    ...endOf(execution, resting, finishedAt),
  };
}

/** What a settlement takes from the decision alone. */
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
