/** Statuses of an execution; the drawing stands in docs/architecture.md. */
export const EXECUTION_STATUSES = [
  'PENDING',
  'BLOCKED',
  'RUNNING',
  'RETRYING',
  'SUCCESS',
  'FAILED',
  'CANCELLED',
  'SKIPPED',
] as const;
export type ExecutionStatus = (typeof EXECUTION_STATUSES)[number];

export type ExecutionTrigger = 'SCHEDULE' | 'MANUAL' | 'DEPENDENCY' | 'REDRIVE' | 'CATCH_UP';

/**
 * Every way in which an execution may move. The statements of src/store are conditional on the `from` side, so a
 * transition that is not listed here cannot be written.
 */
export const TRANSITIONS = {
  claim: { from: ['PENDING', 'RETRYING'], to: 'RUNNING' },
  unblock: { from: ['BLOCKED'], to: 'PENDING' },
  succeed: { from: ['RUNNING'], to: 'SUCCESS' },
  retryLater: { from: ['RUNNING'], to: 'RETRYING' },
  giveUp: { from: ['RUNNING'], to: 'FAILED' },
  interrupt: { from: ['RUNNING'], to: 'PENDING' },
  cancel: { from: ['PENDING', 'BLOCKED', 'RETRYING', 'RUNNING'], to: 'CANCELLED' },
} as const satisfies Record<string, { from: readonly ExecutionStatus[]; to: ExecutionStatus }>;
export type Transition = keyof typeof TRANSITIONS;

const FINISHED: ReadonlySet<ExecutionStatus> = new Set(['SUCCESS', 'FAILED', 'CANCELLED', 'SKIPPED']);

/** A finished execution never moves again; a redrive is a new execution. */
export function isFinished(status: ExecutionStatus): boolean {
  return FINISHED.has(status);
}

/** Deaths of its instance after which an execution is given up: what kills three processes will kill the fourth. */
export const MAX_RESCUES = 3;

/**
 * What becomes of an execution whose instance died, or stopped, with the call in flight.
 *
 * Nobody can know whether the target has seen the call. ATLEAST_ONCE repeats it under the same id; ATMOST_ONCE
 * must not.
 *
 * @param rescueCount how often this has happened to the execution before
 */
export function decideAfterLoss(
  type: 'ATLEAST_ONCE' | 'ATMOST_ONCE',
  rescueCount: number,
): 'interrupt' | 'giveUp' {
  if (type === 'ATMOST_ONCE') return 'giveUp';
  return rescueCount + 1 >= MAX_RESCUES ? 'giveUp' : 'interrupt';
}
