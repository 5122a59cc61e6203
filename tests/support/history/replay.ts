import { BEGINNINGS, TRANSITIONS, type ExecutionStatus } from '../../../src/domain/execution/execution.ts';
import type { EventRow } from '../../../src/store/events/event-row.ts';
import { byExecution, type History, type HistoryExecution } from './read.ts';

const MOVES = Object.values(TRANSITIONS);
/** What is told of an execution that stays where it is. */
const STAYS: Record<string, ExecutionStatus> = { EXECUTION_CALLBACK_AWAITED: 'RUNNING' };
const BIRTHS: Record<string, readonly ExecutionStatus[]> = Object.fromEntries(
  Object.values(BEGINNINGS).map(({ event, to }) => [event, to]),
);

/**
 * The log, read from its beginning, moves each execution along allowed edges only, with attempts numbered from 1, and
 * ends where the tables stand.
 */
export function replayViolations({ executions, events }: History): string[] {
  const violations = orderViolations(events);
  const told = byExecution(events);
  for (const execution of executions) {
    violations.push(...replay(execution, told.get(execution.id) ?? []));
    told.delete(execution.id);
  }
  for (const id of told.keys()) violations.push(`${id}: the log tells of it, the tables do not have it`);
  return violations;
}

function orderViolations(events: readonly EventRow[]): string[] {
  return events.flatMap(({ position }, index) => {
    const before = events[index - 1]?.position ?? 0n;
    return position > before ? [] : [`position ${position} follows ${before}`];
  });
}

function replay(execution: HistoryExecution, events: readonly EventRow[]): string[] {
  const violations: string[] = [];
  let status: ExecutionStatus | null = null;
  let attempt = 0;
  for (const event of events) {
    const { kind, position } = event;
    if (event.previousStatus !== status || !isAllowed(kind, status, event.status)) {
      const said = `${event.previousStatus ?? 'nothing'} to ${event.status ?? 'nothing'}`;
      violations.push(
        `${execution.id}: ${kind} at ${position} moves it from ${said}; it was ${status ?? 'not there'}`,
      );
    }
    if (kind === 'EXECUTION_STARTED') attempt += 1;
    else if (isUncalled(event, attempt)) attempt -= 1;
    if (attempt === 0 && (event.startedAt !== null || event.latenessMs !== null))
      violations.push(`${execution.id}: ${kind} at ${position} tells of a start that there was not`);
    if (event.attempt !== (attempt === 0 ? null : attempt))
      violations.push(
        `${execution.id}: ${kind} at ${position} is of attempt ${event.attempt ?? 'none'}, not ${attempt}`,
      );
    status = event.status;
  }
  if (status !== execution.status)
    violations.push(
      `${execution.id}: the log ends at ${status ?? 'nothing'}, the table at ${execution.status}`,
    );
  if (attempt !== execution.attemptCount)
    violations.push(
      `${execution.id}: the log knows ${attempt} attempts, the table ${execution.attemptCount}`,
    );
  return [...violations, ...endViolations(execution, events.at(-1))];
}

/** Whether a claim ended without a call: then there is one attempt less than it had begun. */
export function isUncalled({ kind, previousStatus, attempt }: EventRow, begun: number): boolean {
  const mayBe = kind === 'EXECUTION_INTERRUPTED' || kind === 'EXECUTION_CANCELLED';
  return mayBe && previousStatus === 'RUNNING' && (attempt ?? 0) === begun - 1;
}

/** The starts of which a call was made. */
export function calledStarts(events: readonly EventRow[]): EventRow[] {
  const starts: EventRow[] = [];
  for (const event of events) {
    if (event.kind === 'EXECUTION_STARTED') starts.push(event);
    else if (isUncalled(event, starts.length)) starts.pop();
  }
  return starts;
}

/** How often an execution lost a claim of which a call was made, or may have been. */
export function interruptionsIn(events: readonly EventRow[]): number {
  let begun = 0;
  let interruptions = 0;
  for (const event of events) {
    if (event.kind === 'EXECUTION_STARTED') begun += 1;
    else if (isUncalled(event, begun)) begun -= 1;
    else if (event.kind === 'EXECUTION_INTERRUPTED') interruptions += 1;
  }
  return interruptions;
}

function isAllowed(kind: string, from: ExecutionStatus | null, to: ExecutionStatus | null): boolean {
  if (to === null) return false;
  if (from === null) return BIRTHS[kind]?.includes(to) ?? false;
  if (kind in STAYS) return from === STAYS[kind] && to === from;
  return MOVES.some((move) => move.event === kind && move.to === to && isIn(move.from, from));
}

function isIn(statuses: readonly ExecutionStatus[], status: ExecutionStatus): boolean {
  return statuses.includes(status);
}

const END_FACTS = [
  'startedAt',
  'finishedAt',
  'durationMs',
  'latenessMs',
  'failureReason',
  'responseStatus',
  'errorMessage',
] as const;

/** What the last event says of a finished execution is what its row holds. */
function endViolations(execution: HistoryExecution, last: EventRow | undefined): string[] {
  if (!last || execution.finishedAt === null) return [];
  return END_FACTS.filter((fact) => last[fact]?.valueOf() !== execution[fact]?.valueOf()).map(
    (fact) => `${execution.id}: ${fact} is ${String(execution[fact])}, the log says ${String(last[fact])}`,
  );
}
