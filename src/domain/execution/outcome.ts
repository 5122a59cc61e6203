import { matchesStatus } from '../request/status-pattern.ts';

/** Why an execution or one of its attempts failed. */
export const FAILURE_REASONS = [
  'HTTP_STATUS',
  'TIMEOUT',
  'CONNECTION',
  'DNS',
  'TLS',
  'BLOCKED_TARGET',
  'TOO_MANY_REDIRECTS',
  'INSTANCE_LOST',
  'INVALID_REQUEST',
  'CALLBACK',
] as const;

export type FailureReason = (typeof FAILURE_REASONS)[number];

/** What can go wrong with a call before a whole response is here; a status is judged by the job's own rules. */
export type CallFailureReason = Exclude<FailureReason, 'HTTP_STATUS' | 'INSTANCE_LOST' | 'CALLBACK'>;

/** Which statuses are success where the job does not say. */
export const DEFAULT_SUCCESS_STATUSES: readonly string[] = ['2xx'];

/**
 * Which statuses are retried where the policy does not say: those by which a target says "not now" (request timeout,
 * too early, too many requests) and all of its own faults. Every other status answers the request itself, and
 * sending the same request again would only be answered so again.
 */
export const DEFAULT_RETRY_STATUSES: readonly string[] = ['408', '425', '429', '5xx'];

/**
 * Failures that a later call may not meet. The others are final: a blocked target, a redirect loop and a request that
 * cannot be sent stay what they are until somebody changes the job.
 */
const RETRYABLE_REASONS: ReadonlySet<FailureReason> = new Set(['TIMEOUT', 'CONNECTION', 'DNS', 'TLS']);

/** The target answered. Its status may still be a failure: see {@link classifyOutcome}. */
export type RespondedOutcome = {
  kind: 'responded';
  status: number;
  /** Names in lower case, bounded in number and size. */
  headers: Readonly<Record<string, string>>;
  /** At most 5,000 characters. */
  body: string;
  /** The target sent more body than is kept. */
  bodyTruncated: boolean;
  /** The Retry-After header as sent; null where there was none. */
  retryAfter: string | null;
  /** The target sent X-Job-No-Retry. */
  noRetry: boolean;
};

/**
 * This instance could not open a connection, for want of descriptors, memory or local ports. The target has seen nothing,
 * and the same call may succeed on another instance.
 */
export type InstanceFaultOutcome = { kind: 'instanceFault'; message: string };

/** What one call gave. `aborted` is ours, not the target's: cancelled, shutting down, or a lost lease. */
export type AttemptOutcome =
  | RespondedOutcome
  | { kind: 'failed'; reason: CallFailureReason; message: string }
  | InstanceFaultOutcome
  | { kind: 'aborted' };

/** What the outcome means for the execution. */
export type Verdict =
  | { kind: 'success' }
  | { kind: 'retryableFailure'; reason: FailureReason; message: string }
  | { kind: 'finalFailure'; reason: FailureReason; message: string }
  | { kind: 'aborted' };

export type VerdictRules = { successStatuses: readonly string[]; retryOn: readonly string[] };

/**
 * Judges an outcome by the job's rules. Success wins where a status stands in both lists.
 *
 * Whether a retryable failure is in fact retried is for `decideRetry` to say.
 */
export function classifyOutcome(outcome: AttemptOutcome, rules: VerdictRules): Verdict {
  switch (outcome.kind) {
    case 'aborted':
      return { kind: 'aborted' };
    // Only for calls that are no attempt of an execution, such as the test of a request: an execution is given back.
    case 'instanceFault':
      return { kind: 'retryableFailure', reason: 'CONNECTION', message: outcome.message };
    case 'failed': {
      const { reason, message } = outcome;
      return { kind: RETRYABLE_REASONS.has(reason) ? 'retryableFailure' : 'finalFailure', reason, message };
    }
    case 'responded': {
      if (matchesStatus(rules.successStatuses, outcome.status)) return { kind: 'success' };
      const retryable = !outcome.noRetry && matchesStatus(rules.retryOn, outcome.status);
      return {
        kind: retryable ? 'retryableFailure' : 'finalFailure',
        reason: 'HTTP_STATUS',
        message: statusMessage(outcome),
      };
    }
  }
}

function statusMessage({ status, noRetry }: RespondedOutcome): string {
  return noRetry
    ? `The target answered with status ${status} and asked for no retry.`
    : `The target answered with status ${status}.`;
}
