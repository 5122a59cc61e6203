import { decideAfterLoss } from './execution.ts';
import {
  classifyOutcome,
  DEFAULT_RETRY_STATUSES,
  type AttemptOutcome,
  type FailureReason,
  type Verdict,
} from './outcome.ts';
import { decideRetry, type RetryDecision, type RetryPolicy } from './retry.ts';

/** What a decision after an attempt looks at. */
export interface AttemptedExecution {
  jobType: 'ATLEAST_ONCE' | 'ATMOST_ONCE';
  successStatuses: readonly string[];
  retryPolicy: RetryPolicy | null;
  /** Retries used before this attempt failed. */
  retryCount: number;
  rescueCount: number;
}

/**
 * Why we ended a call ourselves. `leaseOver`: the lease could not be extended in time, and from its end on others may call. A
 * claim that others have taken over is not among them: then the outcome is no longer ours to decide.
 */
export type AbortReason = 'cancelled' | 'shutdown' | 'leaseOver';

/** Why a call was never made. */
export type UncalledReason = AbortReason | 'noPlace' | 'answerLost' | 'instanceFault';

/** Where an attempt takes its execution. */
export interface NextState {
  status: 'SUCCESS' | 'FAILED' | 'CANCELLED' | 'RETRYING' | 'PENDING';
  /** When it may be claimed again; null where it is finished, and where it could be claimed before. */
  availableAt: Date | null;
  /** Of the attempt; an execution that will be retried has not failed yet. */
  failureReason: FailureReason | null;
  errorMessage: string | null;
  /** One line for the execution's log. */
  log: { level: 'ERROR' | 'WARN' | 'INFO'; message: string };
}

/**
 * Decides where an attempt takes its execution: the one place where outcome, retry policy and the kind of job meet.
 *
 * @param abortReason why an `aborted` outcome was aborted; null for every other
 * @param jitterDraw a number in [0, 1)
 */
export function decideAfterAttempt(
  execution: AttemptedExecution,
  outcome: AttemptOutcome,
  abortReason: AbortReason | null,
  now: Date,
  jitterDraw: number,
): NextState {
  const { successStatuses, retryPolicy } = execution;
  const retryOn = retryPolicy?.retryOn ?? DEFAULT_RETRY_STATUSES;
  const verdict = classifyOutcome(outcome, { successStatuses, retryOn });
  switch (verdict.kind) {
    case 'success':
      return finished('SUCCESS', null, null, 'INFO', successMessage(outcome));
    case 'aborted':
      return abortReason === 'cancelled'
        ? finished('CANCELLED', null, 'Cancelled while the call was under way.', 'WARN')
        : afterInterruption(execution, abortReason === 'leaseOver' ? LEASE_OVER : SHUTDOWN, now);
    case 'retryableFailure':
    case 'finalFailure': {
      const retryAfter = outcome.kind === 'responded' ? outcome.retryAfter : null;
      return decideAfterFailure(execution, verdict, { now, jitterDraw, retryAfter });
    }
  }
}

const SHUTDOWN = 'The instance stopped while the call was under way; whether the target saw it is not known.';
const LEASE_OVER =
  'The call was ended, as its lease could not be extended; whether the target saw it is not known.';

function afterInterruption({ jobType }: AttemptedExecution, message: string, now: Date): NextState {
  // Nobody has died: this does not count towards the rescues after which an execution is given up.
  return decideAfterLoss(jobType, 0) === 'giveUp'
    ? finished('FAILED', 'INSTANCE_LOST', message, 'ERROR')
    : {
        status: 'PENDING',
        availableAt: now,
        failureReason: null,
        errorMessage: message,
        log: { level: 'WARN', message },
      };
}

/**
 * Decides where a claim takes its execution of which no call was made: it waits where it waited before, in the same place
 * of the queue, whatever the kind of its job, since its target has seen nothing.
 */
export function decideUncalled(reason: UncalledReason): NextState {
  if (reason === 'cancelled')
    return finished('CANCELLED', null, 'Cancelled before its call was made.', 'WARN');
  const log = { level: 'INFO', message: UNCALLED_MESSAGES[reason] } as const;
  return { status: 'PENDING', availableAt: null, failureReason: null, errorMessage: null, log };
}

const UNCALLED_MESSAGES = {
  shutdown: 'Given back: the instance stopped before the call was made.',
  noPlace: 'Given back: no place became free for the call in time, on the instance that had claimed it.',
  leaseOver: 'Given back: the lease ended before the call was made.',
  instanceFault: 'Given back: the instance could not open a connection.',
  answerLost: 'Given back: the answer of the database to its claim was lost, and no call was made.',
} as const satisfies Partial<Record<UncalledReason, string>>;

/**
 * Decides where a failure takes an execution, however it was noticed: to a retry or to the end.
 *
 * @param retryAfter the Retry-After header of the response; null where there was none
 */
export function decideAfterFailure(
  { jobType, retryPolicy, retryCount }: Pick<AttemptedExecution, 'jobType' | 'retryPolicy' | 'retryCount'>,
  verdict: Extract<Verdict, { reason: FailureReason }>,
  { now, jitterDraw, retryAfter }: { now: Date; jitterDraw: number; retryAfter: string | null },
): NextState {
  const { reason, message } = verdict;
  const retryable = verdict.kind === 'retryableFailure' && jobType === 'ATLEAST_ONCE';
  const decision = decideRetry(
    retryPolicy,
    { retryable, retriesUsed: retryCount, retryAfter },
    now,
    jitterDraw,
  );
  if (decision.kind === 'giveUp')
    return finished('FAILED', reason, message, 'ERROR', `${message} ${whyFinal(decision)}`);
  return {
    status: 'RETRYING',
    availableAt: decision.availableAt,
    failureReason: reason,
    errorMessage: message,
    log: { level: 'WARN', message: `${message} Retrying in ${decision.delayMs} ms.` },
  };
}

function whyFinal({ reason }: Extract<RetryDecision, { kind: 'giveUp' }>): string {
  switch (reason) {
    case 'noPolicy':
      return 'Final: the job has no retry policy.';
    case 'notRetryable':
      return 'Final: a failure of this kind is not retried.';
    case 'retriesExhausted':
      return 'Final: all retries are used up.';
  }
}

function successMessage(outcome: AttemptOutcome): string {
  return outcome.kind === 'responded' ? `The target answered with status ${outcome.status}.` : 'Done.';
}

/** A rest that is the end. `message` is for the log, where it says more than the error. */
export function finished(
  status: 'SUCCESS' | 'FAILED' | 'CANCELLED',
  failureReason: FailureReason | null,
  errorMessage: string | null,
  level: NextState['log']['level'],
  message = errorMessage ?? '',
): NextState {
  return { status, availableAt: null, failureReason, errorMessage, log: { level, message } };
}
