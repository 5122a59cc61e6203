import type { AlertEvent } from '../domain/alert/alert.ts';
import type { ExecutionFacts } from '../domain/alert/alert-notice.ts';
import {
  applyTransition,
  type AlertState,
  type Report,
  type JobTransition,
} from '../domain/alert/alert-rules.ts';
import { groupBy } from '../domain/values/group-by.ts';
import type { WatchedEvent, WatchingAlert } from '../store/alerts/alert-reading.ts';
import type { LateMark, OverdueExecution } from '../store/executions/late-executions.ts';

/** A report of one alert. */
export interface AlertReport extends Report {
  alert: WatchingAlert;
  at: Date;
  facts: ExecutionFacts;
  /** The execution's row still exists, so others may refer to it. */
  isKept: boolean;
}

/** The effects of a batch of events on alerts. */
export interface Evaluation {
  /** In the order of the events. */
  reports: AlertReport[];
  /** Alerts whose state has changed. */
  changed: (AlertState & { id: string })[];
}

/**
 * Applies each event of a batch, in order, to each alert of its job.
 *
 * @param late the alerts that have reported an execution as late before it started
 */
export function evaluateEvents(
  events: readonly WatchedEvent[],
  alerts: readonly WatchingAlert[],
  late: readonly LateMark[],
): Evaluation {
  const knownLate = new Set(late.map(markKey));
  const states = new Map(alerts.map((alert) => [alert.id, stateOf(alert)]));
  const byJob = groupBy(alerts, ({ jobId }) => jobId);
  const reports: AlertReport[] = [];
  for (const event of events) {
    for (const alert of byJob.get(event.jobId) ?? []) {
      if (event.position <= alert.sincePosition) continue;
      const mark = markKey({ alertId: alert.id, executionId: event.executionId });
      const before = states.get(alert.id) ?? stateOf(alert);
      const { state, reports: found } = applyTransition(
        alert,
        before,
        transitionOf(event, knownLate.has(mark)),
      );
      states.set(alert.id, state);
      if (found.some((report) => report.event === 'LATE')) knownLate.add(mark);
      const { at, isKept } = event;
      reports.push(...found.map((report) => ({ ...report, alert, at, facts: event, isKept })));
    }
  }
  return { reports, changed: alerts.flatMap((alert) => changeOf(alert, states.get(alert.id))) };
}

/** Reports executions that have not started in time to the alerts that watch them. */
export function evaluateOverdue(
  overdue: readonly OverdueExecution[],
  alerts: readonly WatchingAlert[],
  now: Date,
): AlertReport[] {
  const byId = new Map(alerts.map((alert) => [alert.id, alert]));
  return overdue.flatMap(({ alertId, facts }) => {
    const alert = byId.get(alertId);
    if (!alert) return [];
    const { reports } = applyTransition(alert, stateOf(alert), { kind: 'OVERDUE' });
    return reports.map((report) => ({ ...report, alert, at: now, facts, isKept: true }));
  });
}

/** The key under which the deliveries of one alert and one event are counted. */
export function streamKey({ alertId, event }: { alertId: string; event: AlertEvent }): string {
  return `${alertId} ${event}`;
}

function transitionOf(event: WatchedEvent, isKnownLate: boolean): JobTransition {
  switch (event.kind) {
    case 'EXECUTION_STARTED':
      return { kind: 'STARTED', attempt: event.attempt, latenessMs: event.latenessMs, isKnownLate };
    case 'EXECUTION_SUCCEEDED':
      return { kind: 'SUCCEEDED' };
    case 'EXECUTION_FAILED':
      return { kind: 'FAILED' };
    case 'EXECUTION_SKIPPED':
      return { kind: 'SKIPPED', isManual: event.skipReason === 'OPERATOR' };
  }
}

function stateOf({ failuresInRow, isFailing }: AlertState): AlertState {
  return { failuresInRow, isFailing };
}

function changeOf(alert: WatchingAlert, state: AlertState | undefined): Evaluation['changed'] {
  if (!state) return [];
  const isSame = state.failuresInRow === alert.failuresInRow && state.isFailing === alert.isFailing;
  return isSame ? [] : [{ id: alert.id, ...state }];
}

function markKey({ alertId, executionId }: LateMark): string {
  return `${alertId} ${executionId}`;
}
