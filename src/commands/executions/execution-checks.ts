import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { REASON_LIMIT } from '../../domain/execution/execution-limits.ts';
import { checkText } from '../../domain/values/text.ts';
import type { CommandError } from '../command-result.ts';

/** There is no such execution, or it is no longer kept. `id` is repeated as the client wrote it. */
export function executionNotFound(id: string): CommandError {
  return {
    kind: 'NotFoundError',
    message: 'There is no such execution, or it is no longer kept.',
    path: ['id'],
    id: id.slice(0, 64),
  };
}

/** What is wrong with a reason, as the `reason` field of an input. */
export function reasonIssues(reason: string | null): FieldIssue[] {
  const message = reason === null ? null : checkText(reason, REASON_LIMIT);
  return message === null ? [] : [{ path: ['reason'], message }];
}
