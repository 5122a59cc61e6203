import type { Caller, CommandDeps } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { type BulkJobsInput, type BulkOutcome, changeJobs } from './job-chunks.ts';
import { resumeLocked } from './resume-job.ts';
import { takenUpAgain } from './resumed-job.ts';

/** Resumes those of the selected jobs that are PAUSED, each from its next slot on; the others stay as they are. */
export async function resumeJobs(
  deps: CommandDeps,
  by: Caller,
  input: BulkJobsInput,
): Promise<CommandResult<BulkOutcome>> {
  return changeJobs(deps, input, async (tx, matched, now) => {
    const paused = matched.filter(({ status }) => status === 'PAUSED');
    const changes = paused.map((before) => ({ before, after: takenUpAgain(before, now) }));
    await resumeLocked(tx, deps, by, changes, now);
    return paused.length;
  });
}
