import { isFinished } from '../../../src/domain/execution/execution.ts';
import { decideRetry, type RetryPolicy } from '../../../src/domain/execution/retry.ts';
import type { EventRow } from '../../../src/store/events/event-row.ts';
import { calledStarts } from './replay.ts';
import { byExecution, type History, type HistoryAttempt, type HistoryExecution } from './read.ts';

/**
 * Each execution has ended; its attempts are recorded from 1 without holes, each as the log tells its start; retries
 * keep the policy's distance and number; and exactly the failed ones are dead letters.
 */
export function executionViolations(history: History, { mayBeUnfinished = false }): string[] {
  const attempts = byExecution(history.attempts);
  const events = byExecution(history.events);
  const jobs = new Map(history.jobs.map((job) => [job.id, job]));
  const updated = new Set(
    history.events.filter(({ kind }) => kind === 'JOB_UPDATED').map(({ jobId }) => jobId),
  );
  return history.executions.flatMap((execution) => {
    const { id, jobId, status } = execution;
    const told = events.get(id) ?? [];
    const policy = jobs.get(jobId)?.retryPolicy ?? null;
    return [
      ...(mayBeUnfinished || isFinished(status) ? [] : [`${id}: has not ended, it is ${status}`]),
      ...attemptViolations(execution, attempts.get(id) ?? [], told),
      ...(updated.has(jobId) ? [] : retryViolations(execution, told, policy)),
      ...deadLetterViolations(execution),
    ];
  });
}

function attemptViolations(
  { id, status, attemptCount }: HistoryExecution,
  attempts: readonly HistoryAttempt[],
  events: readonly EventRow[],
): string[] {
  const starts = calledStarts(events);
  const ended = status === 'RUNNING' ? attemptCount - 1 : attemptCount;
  const numbers = attempts.map(({ number }) => number);
  if (numbers.length !== ended || numbers.some((number, index) => number !== index + 1))
    return [`${id}: has attempts ${numbers.join(', ') || 'none'}, not 1 to ${ended}`];
  return attempts.flatMap(({ number, startedAt, instanceId }, index) => {
    const start = starts[index];
    // It may have waited for a place.
    if (start && start.at <= startedAt && start.instanceId === instanceId) return [];
    return [`${id}: attempt ${number} begins before the log tells of its start, or on another instance`];
  });
}

function retryViolations(
  { id }: HistoryExecution,
  events: readonly EventRow[],
  policy: RetryPolicy | null,
): string[] {
  const violations: string[] = [];
  let retriesUsed = 0;
  events.forEach(({ kind, at }, index) => {
    if (kind !== 'EXECUTION_RETRY_SCHEDULED') return;
    // The largest draw gives the shortest wait; a target's Retry-After can only lengthen it.
    const decision = decideRetry(policy, { retryable: true, retriesUsed, retryAfter: null }, at, 1);
    const next = events[index + 1];
    retriesUsed += 1;
    if (decision.kind === 'giveUp') violations.push(`${id}: retry ${retriesUsed} is one too many`);
    else if (next?.kind === 'EXECUTION_STARTED' && next.at < decision.availableAt) {
      const waitedMs = next.at.getTime() - at.getTime();
      violations.push(`${id}: retry ${retriesUsed} came after ${waitedMs} ms, not ${decision.delayMs}`);
    }
  });
  return violations;
}

function deadLetterViolations({ id, status, isDeadLetter }: HistoryExecution): string[] {
  if ((status === 'FAILED') === isDeadLetter) return [];
  return [`${id}: is ${status} and ${isDeadLetter ? 'a' : 'no'} dead letter`];
}
