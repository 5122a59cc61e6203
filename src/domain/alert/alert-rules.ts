import type { AlertDefinition, AlertEvent } from './alert.ts';

/** The state that an alert keeps between two transitions of its job. */
export interface AlertState {
  /** FAILED executions since the last SUCCESS. */
  failuresInRow: number;
  /** The failures have reached the threshold: FAILED is reported, and RECOVERED is still to come. */
  isFailing: boolean;
}

/** One step of an execution that alerts look at. */
export type JobTransition =
  | { kind: 'SUCCEEDED' | 'FAILED' }
  | { kind: 'SKIPPED'; isManual: boolean }
  /** An attempt began. `isKnownLate`: the alert reported LATE before the start. */
  | { kind: 'STARTED'; attempt: number | null; latenessMs: number | null; isKnownLate: boolean }
  /** The execution still waits, longer after its slot than the alert allows. */
  | { kind: 'OVERDUE' };

/** One event to report. */
export interface Report {
  event: AlertEvent;
  /** The failures in a row so far; for RECOVERED, the failures before the success. */
  failuresInRow: number;
  /** Whether the job counts as failing after it, by this alert's threshold. */
  isFailing: boolean;
}

type Rule = Pick<AlertDefinition, 'events' | 'failureThreshold' | 'latenessThresholdMs'>;

/**
 * Decides what one alert reports after one transition, and its new state.
 *
 * It reports FAILED once, when the failures in a row reach the threshold. It reports RECOVERED at the first success
 * after that. Cancelled and skipped executions are no failures and end no row. A lower threshold takes effect with
 * the next failure.
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
      // The user who skipped a slot knows about it.
      return transition.isManual ? [] : ['SKIPPED'];
    case 'STARTED':
      // Lateness belongs to the first start. Later attempts show the same value.
      return transition.attempt === 1 &&
        !transition.isKnownLate &&
        (transition.latenessMs ?? 0) > rule.latenessThresholdMs
        ? ['LATE']
        : [];
    case 'OVERDUE':
      return ['LATE'];
  }
}
