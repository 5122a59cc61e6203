import { isDeepStrictEqual } from 'node:util';
import type { JobDefinition, JobInput } from '../../domain/job/job-definition.ts';
import { draftUpdate } from '../../domain/job/job-input.ts';
import { forgetSatisfactions } from '../../store/jobs/dependencies.ts';
import { replaceJobTags } from '../../store/tags/job-tags.ts';
import { isKeyTaken, type StoredJob, updateJob as writeJob } from '../../store/jobs/jobs.ts';
import { holdTagNames } from '../../store/tags/tags.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, keyTaken } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { changedJob, gainsSlots, kindsOf } from './job-change.ts';
import { checkDefinition, type JobReference, lockLiveJob, statusIssue } from './job-checks.ts';
import { changedFields, recordJobChange } from './job-record.ts';
import { pastSkippedRunsOf } from './skipped-runs.ts';
import { withdrawOutdated } from '../executions/withdrawals.ts';

/** Absent leaves a field as it is; null clears it where it may be null. */
export type UpdateJobInput = JobReference & JobInput & { status?: string | null | undefined };

/**
 * Changes a job. Where the change concerns its slots, the next run is computed anew from now; a completed job that
 * has runs again becomes ACTIVE. A change that changes nothing writes nothing, and leaves the version as it is.
 *
 * @returns the job as it is now
 */
export async function updateJob(
  deps: CommandDeps,
  by: Caller,
  { id, expectedVersion, status, ...input }: UpdateJobInput,
): Promise<CommandResult<StoredJob>> {
  try {
    return await commandTransaction(deps, async (tx) => {
      if (input.tags) await holdTagNames(tx);
      const found = await lockLiveJob(tx, { id, expectedVersion });
      if (!found.ok) return found;
      const before = found.value;
      const now = deps.clock.now();

      const definition = checkChange(deps, before, input, status);
      if (!definition.ok) return definition;
      const changed = changedJob(before, definition.value, status, by, now);
      if (!changed.ok) return changed;
      const after = await pastSkippedRunsOf(tx, changed.value);
      if (changedFields(before, after).length === 0) return { ok: true, value: before };

      await writeJob(tx, after);
      if (!isDeepStrictEqual(before.tags, after.tags)) await replaceJobTags(tx, [after], now, deps.newId);
      if (gainsSlots(before, after)) await forgetSatisfactions(tx, [after.id]);
      const events = await withdrawOutdated(tx, [{ before, after }], now);
      await recordJobChange(tx, deps, by, {
        action: 'UPDATED',
        before,
        after,
        now,
        kinds: kindsOf(before, after),
        events,
      });
      return { ok: true, value: after };
    });
  } catch (error) {
    if (isKeyTaken(error)) return failWith(keyTaken());
    throw error;
  }
}

function checkChange(
  deps: CommandDeps,
  before: StoredJob,
  input: JobInput,
  status: string | null | undefined,
): CommandResult<JobDefinition> {
  const { draft, issues } = draftUpdate(before, input);
  if (status === null)
    issues.push({ path: ['status'], message: 'May not be null; leave it out to keep it as it is.' });
  else if (status !== undefined) issues.push(...statusIssue(status));
  return checkDefinition(deps, draft, issues, before);
}
