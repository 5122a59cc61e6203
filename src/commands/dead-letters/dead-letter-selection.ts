import type { FieldIssue } from '../../domain/job/job-definition.ts';
import type { FailureReason } from '../../domain/execution/outcome.ts';
import { decodePublicId } from '../../domain/values/public-id.ts';
import { readTagFilter, type TagFilter, type TagQuestion } from '../../domain/job/tag-filter.ts';
import type { DeadLetterSelection } from '../../store/executions/dead-letters.ts';
import { type CommandResult, failWith, validationError } from '../command-result.ts';

/** Bounds of one call, both ends allowed. */
export const DEAD_LETTER_LIMITS = {
  limit: { min: 1, max: 1_000 },
  /** Entries of one list. */
  list: 1_000,
} as const;

/** Which dead letters; all fields given must hold, null is as good as absent. */
export interface DeadLetterWhere {
  jobId?: readonly string[] | null | undefined;
  failureReason?: readonly FailureReason[] | null | undefined;
  failedAt?: Partial<Record<'gt' | 'gte' | 'lt' | 'lte', Date | null | undefined>> | null | undefined;
  open?: boolean | null | undefined;
  tags?: TagFilter | null | undefined;
}

/** Dead letters named one by one, or by what they have in common; with both, each must be named by both. */
export interface DeadLettersInput {
  ids?: readonly string[] | null | undefined;
  where?: DeadLetterWhere | null | undefined;
  /** Oldest failures first; 1,000 where absent. */
  limit?: number | null | undefined;
}

export interface CheckedDeadLettersInput {
  selection: Omit<DeadLetterSelection, 'ofLiveJobsOnly'>;
  limit: number;
}

/**
 * Checks which dead letters a command is to work on. An id that could be one and is none (any more) selects nothing; one
 * that cannot be is a mistake of the caller's. Only open dead letters can be selected, so `open: false` selects nothing.
 */
export function checkDeadLetters({
  ids,
  where,
  limit,
}: DeadLettersInput): CommandResult<CheckedDeadLettersInput> {
  const { min, max } = DEAD_LETTER_LIMITS.limit;
  const most = limit ?? max;
  const issues: FieldIssue[] = [
    ...(Number.isInteger(most) && most >= min && most <= max
      ? []
      : [{ path: ['limit'], message: `Must be a whole number from ${min} to ${max}; it is ${most}.` }]),
    ...(isGiven(ids) || isGiven(where)
      ? idIssues(ids ?? [])
      : [{ path: ['ids'], message: 'Either ids or where must be given.' }]),
    ...listIssues(['where', 'jobId'], where?.jobId),
    ...listIssues(['where', 'failureReason'], where?.failureReason),
  ];
  const tags = readTagFilter(where?.tags ?? {});
  if (!tags.ok) issues.push({ path: ['where', 'tags', tags.operator], message: tags.message });
  if (issues.length > 0 || !tags.ok) return failWith(validationError(issues));
  const named = isGiven(ids) ? uuidsOf('DeadLetter', ids) : null;
  return {
    ok: true,
    value: {
      limit: most,
      selection: selectionOf(where?.open === false ? [] : named, where ?? {}, tags.question),
    },
  };
}

function isGiven<T>(value: T | null | undefined): value is T {
  return value !== null && value !== undefined;
}

function idIssues(ids: readonly string[]): FieldIssue[] {
  const tooMany = listIssues(['ids'], ids);
  if (tooMany.length > 0) return tooMany;
  return ids.flatMap((id, index) =>
    decodePublicId('DeadLetter', id) === null
      ? [{ path: ['ids', `${index}`], message: 'Is no id of a dead letter.' }]
      : [],
  );
}

function listIssues(path: string[], list: readonly unknown[] | null | undefined): FieldIssue[] {
  const { list: max } = DEAD_LETTER_LIMITS;
  return isGiven(list) && list.length > max
    ? [{ path, message: `Lists ${list.length} values; allowed are ${max}.` }]
    : [];
}

function selectionOf(
  ids: readonly string[] | null,
  { jobId, failureReason, failedAt }: DeadLetterWhere,
  tags: TagQuestion,
): CheckedDeadLettersInput['selection'] {
  const { gt = null, gte = null, lt = null, lte = null } = failedAt ?? {};
  return {
    ids,
    jobIds: isGiven(jobId) ? uuidsOf('Job', jobId) : null,
    failureReasons: failureReason ?? null,
    failedAt: { gt, gte, lt, lte },
    tags,
  };
}

/** Each once; what is no id of that kind names nothing. */
function uuidsOf(kind: 'DeadLetter' | 'Job', ids: readonly string[]): string[] {
  return [...new Set(ids.flatMap((id) => decodePublicId(kind, id) ?? []))];
}
