import type { Caller, CommandDeps } from './command-deps.ts';
import type { CommandResult } from './command-result.ts';
import { type BulkJobsInput, type BulkOutcome, changeJobs } from './job-chunks.ts';
import { pausedJob, pauseLocked } from './pause-job.ts';

/** Pauses those of the selected jobs that are ACTIVE, until somebody resumes them; the others stay as they are. */
export async function pauseJobs(
  deps: CommandDeps,
  by: Caller,
  input: BulkJobsInput,
): Promise<CommandResult<BulkOutcome>> {
  return changeJobs(deps, input, async (tx, matched, now) => {
    const active = matched.filter(({ status }) => status === 'ACTIVE');
    const changes = active.map((before) => ({ before, after: pausedJob(before, by, now) }));
    await pauseLocked(tx, deps, by, changes, now);
    return changes.length;
  });
}
