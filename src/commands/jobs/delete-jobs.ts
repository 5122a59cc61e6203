import type { Caller, CommandDeps } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { deletedJob, deleteLocked } from './delete-job.ts';
import { type BulkJobsInput, type BulkOutcome, changeJobs } from './job-chunks.ts';

/** Deletes the selected jobs, softly, as `deleteJob` does; those that are deleted already stay as they are. */
export async function deleteJobs(
  deps: CommandDeps,
  by: Caller,
  input: BulkJobsInput,
): Promise<CommandResult<BulkOutcome>> {
  const result = await changeJobs(deps, input, async (tx, matched, now) => {
    const live = matched.filter(({ status }) => status !== 'DELETED');
    const changes = live.map((before) => ({ before, after: deletedJob(before, now) }));
    await deleteLocked(tx, deps, by, changes, now);
    return changes.length;
  });
  if (result.ok && result.value.changedCount > 0) deps.wake('cancellations');
  return result;
}
