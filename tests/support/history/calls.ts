import { decodePublicId } from '../../../src/domain/values/public-id.ts';
import type { RecordedCall } from '../target-server.ts';
import { byExecution, type History, type HistoryExecution } from './read.ts';

type IdentifiedCall = { executionId: string | null; attempt: number; call: RecordedCall };

/**
 * The target's record and ours tell of the same calls: each attempt that got an answer was seen once, whatever was
 * seen is an attempt of ours and seen only once, and a call says truly who it is.
 *
 * An attempt without an answer, of which the target may have seen nothing, proves nothing either way.
 */
export function callViolations(history: History, calls: readonly RecordedCall[]): string[] {
  const identified = calls.map(identify);
  const seen = byExecution(identified);
  const attempts = byExecution(history.attempts);
  const atMostOnce = new Set(history.jobs.filter(({ type }) => type === 'ATMOST_ONCE').map(({ id }) => id));
  const violations: string[] = [];
  for (const execution of history.executions) {
    const { id, jobId } = execution;
    const own = seen.get(id) ?? [];
    seen.delete(id);
    violations.push(...own.flatMap(({ call, attempt }) => identityViolations(execution, call, attempt)));
    violations.push(...repeatViolations(id, own));
    for (const { number, responseStatus } of attempts.get(id) ?? []) {
      if (responseStatus !== null && !own.some(({ attempt }) => attempt === number))
        violations.push(
          `${id}: attempt ${number} got ${responseStatus} for a call that the target never saw`,
        );
    }
    if (atMostOnce.has(jobId) && own.length > 1)
      violations.push(`${id}: at most once, but called ${own.length} times`);
  }
  for (const id of seen.keys()) violations.push(`${id}: was called, but nobody knows it`);
  const nameless = identified.filter(({ executionId }) => executionId === null).length;
  return nameless === 0 ? violations : [...violations, `${nameless} calls bore no execution id`];
}

function identify(call: RecordedCall): IdentifiedCall {
  const executionId = decodePublicId('Execution', call.headers['x-execution-id'] ?? '');
  return { executionId, attempt: Number(call.headers['x-attempt']), call };
}

function identityViolations(
  execution: HistoryExecution,
  { headers }: RecordedCall,
  attempt: number,
): string[] {
  const { id, jobId, scheduledAt, attemptCount } = execution;
  const isTrue =
    decodePublicId('Job', headers['x-job-id'] ?? '') === jobId &&
    headers['idempotency-key'] === headers['x-execution-id'] &&
    headers['x-scheduled-at'] === scheduledAt?.toISOString();
  return [
    ...(isTrue ? [] : [`${id}: was called with headers of something else: ${JSON.stringify(headers)}`]),
    ...(attempt >= 1 && attempt <= attemptCount
      ? []
      : [`${id}: attempt ${attempt} of ${attemptCount} was called`]),
  ];
}

function repeatViolations(id: string, calls: readonly IdentifiedCall[]): string[] {
  const numbers = calls.map(({ attempt }) => attempt);
  const repeated = new Set(numbers.filter((number, index) => numbers.indexOf(number) !== index));
  return [...repeated].map((number) => `${id}: attempt ${number} was called more than once`);
}
