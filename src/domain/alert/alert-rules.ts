import type { AlertDefinition, AlertEvent } from './alert.ts';

/** What an alert remembers from one transition of its job to the next. */
export interface AlertState {
  /** FAILED executions since the last SUCCESS. */
  failuresInRow: number;
  /** They have reached the threshold: FAILED was due, and RECOVERED is owed. */
  isFailing: boolean;
}

/** One step of an execution, as far as alerts ask. */
export type JobTransition =
  | { kind: 'SUCCEEDED' | 'FAILED' }
  | { kind: 'SKIPPED'; isManual: boolean }
  /** An attempt began. `isKnownLate`: the alert has told so already, while it had not. */
  | { kind: 'STARTED'; attempt: number | null; latenessMs: number | null; isKnownLate: boolean }
  /** It waits, and its slot is longer ago than the alert allows. */
  | { kind: 'OVERDUE' };

/** What is to be told. */
export interface Report {
  event: AlertEvent;
  /** The failures that led here; for RECOVERED, those that are over. */
  failuresInRow: number;
  /** Whether the job still fails by this alert's threshold. */
  isFailing: boolean;
}

type Rule = Pick<AlertDefinition, 'events' | 'failureThreshold' | 'latenessThresholdMs'>;

/**
 * Decides what one transition means for one alert: what it tells, and what it remembers.
 *
 * FAILED is told when the failures in a row reach the threshold, once per row of failures; RECOVERED at the first success
 * after that. What was cancelled or skipped neither counts as a failure nor ends a row. A threshold that is lowered below
 * the failures that are there takes effect with the next failure.
 */
export function applyTransition(
  rule: Rule,
  state: AlertState,
  transition: JobTransition,
): { state: AlertState; reports: Report[] } {
  const next = stateAfter(rule, state, transition.kind);
  const failuresInRow = Math.max(state.failuresInRow, next.failuresInRow);
  const reports = happened(rule, state, next, transition)
    .filter((event) => rule.events.includes(event))
    .map((event) => ({ event, failuresInRow, isFailing: next.isFailing }));
  return { state: next, reports };
}

function stateAfter(rule: Rule, state: AlertState, kind: JobTransition['kind']): AlertState {
  if (kind === 'SUCCEEDED') return { failuresInRow: 0, isFailing: false };
  if (kind !== 'FAILED') return state;
  const failuresInRow = state.failuresInRow + 1;
  return { failuresInRow, isFailing: state.isFailing || failuresInRow >= rule.failureThreshold };
}

function happened(
  rule: Rule,
  before: AlertState,
  after: AlertState,
  transition: JobTransition,
): AlertEvent[] {
  switch (transition.kind) {
    case 'SUCCEEDED':
      return before.isFailing ? ['RECOVERED', 'SUCCEEDED'] : ['SUCCEEDED'];
    case 'FAILED':
      return after.isFailing && !before.isFailing ? ['FAILED', 'DEAD_LETTERED'] : ['DEAD_LETTERED'];
    case 'SKIPPED':
      // A slot that somebody left out is no news to them.
      return transition.isManual ? [] : ['SKIPPED'];
    case 'STARTED':
      // Lateness is that of the first start: later attempts bear it too.
      return transition.attempt === 1 &&
        !transition.isKnownLate &&
        (transition.latenessMs ?? 0) > rule.latenessThresholdMs
        ? ['LATE']
        : [];
    case 'OVERDUE':
      return ['LATE'];
  }
}
