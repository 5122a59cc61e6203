import { TRANSITIONS, type ExecutionStatus, type Transition } from '../../domain/execution/execution.ts';

/** A list of SQL literals. */
function literals(values: readonly string[]): string {
  return values.map((value) => `'${value}'`).join(', ');
}

function isOneOf(column: string, statuses: readonly ExecutionStatus[]): string {
  return statuses.length === 1 ? `${column} = ${literals(statuses)}` : `${column} IN (${literals(statuses)})`;
}

/** The condition that an execution may make a transition. */
export function mayMove(transition: Transition, column = 'status'): string {
  return isOneOf(column, TRANSITIONS[transition].from);
}

/** The status behind a transition, as a literal. */
export function statusAfter(transition: Transition): string {
  return literals([TRANSITIONS[transition].to]);
}

/** The kind of the event that tells of a transition, as a literal. */
export function eventOf(transition: Transition): string {
  return literals([TRANSITIONS[transition].event]);
}

/** The condition that an execution waits. No instance runs it, so it may be cancelled at once. */
export function isWaiting(column = 'status'): string {
  return isOneOf(
    column,
    TRANSITIONS.cancel.from.filter((status) => status !== 'RUNNING'),
  );
}

/** The transitions at the end of a claim. */
const SETTLEMENTS = ['succeed', 'giveUp', 'cancel', 'retryLater', 'interrupt'] as const;

/** The kind of the event that tells how a claim ended, by the status that the execution has then. */
export const EVENT_OF_SETTLEMENT = `(CASE status ${SETTLEMENTS.map(
  (transition) => `WHEN ${statusAfter(transition)} THEN ${eventOf(transition)}`,
).join(' ')} END)::event_kind`;
