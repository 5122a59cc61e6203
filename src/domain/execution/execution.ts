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

/** What a transition is made of. */
interface Move {
  from: readonly ExecutionStatus[];
  to: ExecutionStatus;
  /** The kind of the event that tells of it. */
  event: string;
}

/**
 * Every way in which an execution may move. The statements of src/store take their conditions, statuses and event kinds
 * from here (src/store/executions/transitions.ts), and a trigger of the table refuses every other move.
 */
export const TRANSITIONS = {
  claim: { from: ['PENDING', 'RETRYING'], to: 'RUNNING', event: 'EXECUTION_STARTED' },
  unblock: { from: ['BLOCKED'], to: 'PENDING', event: 'EXECUTION_UNBLOCKED' },
  succeed: { from: ['RUNNING'], to: 'SUCCESS', event: 'EXECUTION_SUCCEEDED' },
  retryLater: { from: ['RUNNING'], to: 'RETRYING', event: 'EXECUTION_RETRY_SCHEDULED' },
  giveUp: { from: ['RUNNING'], to: 'FAILED', event: 'EXECUTION_FAILED' },
  interrupt: { from: ['RUNNING'], to: 'PENDING', event: 'EXECUTION_INTERRUPTED' },
  cancel: {
    from: ['PENDING', 'BLOCKED', 'RETRYING', 'RUNNING'],
    to: 'CANCELLED',
    event: 'EXECUTION_CANCELLED',
  },
} as const satisfies Record<string, Move>;
export type Transition = keyof typeof TRANSITIONS;

/** How an execution comes into being. One that starts at once is planned and claimed by one statement. */
export const BEGINNINGS = {
  plan: { to: ['PENDING', 'BLOCKED'], event: 'EXECUTION_PLANNED' },
  skip: { to: ['SKIPPED'], event: 'EXECUTION_SKIPPED' },
} as const satisfies Record<string, { to: readonly ExecutionStatus[]; event: string }>;

const LEFT: ReadonlySet<ExecutionStatus> = new Set(Object.values(TRANSITIONS).flatMap(({ from }) => from));

/** A finished execution never moves again; a redrive is a new execution. */
export function isFinished(status: ExecutionStatus): boolean {
  return !LEFT.has(status);
}

/** Deaths of its instance after which an execution is given up: what kills three processes will kill the fourth. */
export const MAX_RESCUES = 3;

/**
 * How an execution ends whose instance died, or stopped, with the call in flight.
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
