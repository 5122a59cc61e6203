import type { Pool } from 'pg';
import { callViolations } from './history/calls.ts';
import { executionViolations } from './history/executions.ts';
import { byExecution, readHistory, type History } from './history/read.ts';
import { interruptionsIn, replayViolations } from './history/replay.ts';
import { slotViolations } from './history/slots.ts';
import type { RecordedCall } from './target-server.ts';

export type HistoryOptions = {
  /** Executions that have not ended yet are no violation. */
  mayBeUnfinished?: boolean;
};

/** How much a check has looked at: a test asserts these, lest an empty history passes for a sound one. */
export type HistorySummary = {
  executions: number;
  /** Slots of schedules of which each was found to have exactly one execution or recorded reason. */
  slots: number;
  calls: number;
  /**
   * Attempts whose outcome nobody knows, because their instance died or gave them back: each is made once more. Claims that
   * were given back without a call are none.
   */
  interruptions: number;
};

/**
 * Joins the target's own record of calls with the tables and the event log, and says everything that must never be:
 * a slot without an execution or with two; an execution that has not ended; a hole in the attempts; a call that was
 * never made, made twice or unknown; a state reached by an edge that is not allowed; a log that tells another end.
 *
 * @returns what is wrong, one sentence each; empty for a sound history
 */
export function historyViolations(
  history: History,
  calls: readonly RecordedCall[],
  options: HistoryOptions = {},
): string[] {
  return [
    ...slotViolations(history).violations,
    ...replayViolations(history),
    ...executionViolations(history, options),
    ...callViolations(history, calls),
  ];
}

/** More of them only repeat what the first ones say. */
const SHOWN_VIOLATIONS = 20;

/**
 * Reads the history of a database and checks it.
 *
 * @param calls what the target saw: all of it, and nothing from other schedulers
 * @throws Error listing what is wrong
 */
export async function checkHistory(
  pool: Pool,
  calls: readonly RecordedCall[],
  options: HistoryOptions = {},
): Promise<HistorySummary> {
  const history = await readHistory(pool);
  const violations = historyViolations(history, calls, options);
  if (violations.length > 0) {
    const shown = violations.slice(0, SHOWN_VIOLATIONS).map((violation) => `\n  - ${violation}`);
    throw new Error(`The history has ${violations.length} violations:${shown.join('')}`);
  }
  return {
    executions: history.executions.length,
    slots: slotViolations(history).slots,
    calls: calls.length,
    interruptions: [...byExecution(history.events).values()].reduce(
      (sum, events) => sum + interruptionsIn(events),
      0,
    ),
  };
}
