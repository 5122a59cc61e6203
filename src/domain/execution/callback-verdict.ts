import type { CallbackReport } from './callback-report.ts';
import { decideAfterFailure, finished, type AttemptedExecution, type NextState } from './verdict.ts';

/** What a decision about a callback looks at. */
export type CalledExecution = Pick<AttemptedExecution, 'jobType' | 'retryPolicy' | 'retryCount'>;

/**
 * Decides where a callback takes its execution. A failure is retried as the job's policy says, unless the target asks
 * for no retry.
 *
 * @param jitterDraw a number in [0, 1)
 */
export function decideAfterCallback(
  execution: CalledExecution,
  { status, message, retry }: CallbackReport,
  now: Date,
  jitterDraw: number,
): NextState {
  if (status === 'success') {
    return finished('SUCCESS', null, null, 'INFO', sentence('The callback reported success', message));
  }
  const failure = sentence('The callback reported a failure', message);
  return decideAfterFailure(
    execution,
    {
      kind: retry ? 'retryableFailure' : 'finalFailure',
      reason: 'CALLBACK',
      message: retry ? failure : `${failure} It asked for no retry.`,
    },
    { now, jitterDraw, retryAfter: null },
  );
}

/** Decides where an execution goes whose callback did not come in time: as where a call takes too long. */
export function decideAfterSilence(
  execution: CalledExecution,
  deadlineAt: Date,
  now: Date,
  jitterDraw: number,
): NextState {
  const message = `No callback came until ${deadlineAt.toISOString()}.`;
  return decideAfterFailure(
    execution,
    { kind: 'retryableFailure', reason: 'TIMEOUT', message },
    { now, jitterDraw, retryAfter: null },
  );
}

/** Ends an execution whose cancellation was asked for while it waited. */
export function cancelledWait(): NextState {
  return finished('CANCELLED', null, 'Cancelled while its callback was awaited.', 'WARN');
}

function sentence(what: string, message: string | null): string {
  if (message === null) return `${what}.`;
  return `${what}: ${/[.!?]$/.test(message) ? message : `${message}.`}`;
}
