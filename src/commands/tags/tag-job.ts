import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { readTagNames, sortedTags, TAG_LIMITS } from '../../domain/job/tag.ts';
import { replaceJobTags } from '../../store/tags/job-tags.ts';
import { type StoredJob, updateJob as writeJob } from '../../store/jobs/jobs.ts';
import { holdTagNames } from '../../store/tags/tags.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, namedIn, validationError } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { lockLiveJob } from '../jobs/job-checks.ts';
import { changedFields, recordJobChange } from '../jobs/job-record.ts';

export interface TagJobInput {
  jobId: string;
  /** Names; unknown ones are created where a job gets them, and mean nothing where it loses them. */
  tags: readonly string[];
}

/**
 * Gives a job tags beside those that it has. Those that it has already change nothing.
 *
 * @returns the job
 */
export async function addJobTags(
  deps: CommandDeps,
  by: Caller,
  input: TagJobInput,
): Promise<CommandResult<StoredJob>> {
  return changeTags(deps, by, input, 'TAGGED', (tags, names) => sortedTags([...tags, ...names]));
}

/**
 * Takes tags off a job. Those that it does not have change nothing.
 *
 * @returns the job
 */
export async function removeJobTags(
  deps: CommandDeps,
  by: Caller,
  input: TagJobInput,
): Promise<CommandResult<StoredJob>> {
  return changeTags(deps, by, input, 'UNTAGGED', (tags, names) => tags.filter((tag) => !names.includes(tag)));
}

async function changeTags(
  deps: CommandDeps,
  by: Caller,
  { jobId, tags }: TagJobInput,
  action: 'TAGGED' | 'UNTAGGED',
  change: (tags: readonly string[], names: readonly string[]) => readonly string[],
): Promise<CommandResult<StoredJob>> {
  const { names, issues } = readTagNames(tags, ['tags']);
  if (issues.length > 0) return failWith(validationError(issues));

  return commandTransaction<CommandResult<StoredJob>>(deps, async (tx) => {
    await holdTagNames(tx);
    const found = await lockLiveJob(tx, { id: jobId });
    if (!found.ok) return namedIn(found, 'jobId');
    const before = found.value;
    const now = deps.clock.now();
    const after = {
      ...before,
      tags: change(before.tags, names),
      version: before.version + 1,
      updatedAt: now,
    };
    if (changedFields(before, after).length === 0) return { ok: true, value: before };
    const tooMany = countIssue(after.tags.length);
    if (tooMany) return failWith(validationError([tooMany]));

    await writeJob(tx, after);
    await replaceJobTags(tx, [after], now, deps.newId);
    await recordJobChange(tx, deps, by, { action, before, after, now, kinds: ['JOB_UPDATED'] });
    return { ok: true, value: after };
  });
}

function countIssue(tags: number): FieldIssue | null {
  if (tags <= TAG_LIMITS.perJob) return null;
  return { path: ['tags'], message: `The job would have ${tags} tags; allowed are ${TAG_LIMITS.perJob}.` };
}
