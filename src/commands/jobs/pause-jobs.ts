import { jobsWithPlanned } from '../../store/executions/withdrawing.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, validationError } from '../command-result.ts';
import { type BulkJobsInput, type BulkOutcome, changeJobs } from './job-chunks.ts';
import { checkPause, pausedJob, type PauseFacts, pauseLocked } from './pause-job.ts';

export type PauseJobsInput = BulkJobsInput & PauseFacts;

/** Pauses those of the selected jobs that are ACTIVE or have a last run that waits to start; the others stay as they are. */
export async function pauseJobs(
  deps: CommandDeps,
  by: Caller,
  { reason, until, ...input }: PauseJobsInput,
): Promise<CommandResult<BulkOutcome>> {
  const issues = checkPause({ reason, until }, deps.clock.now());
  if (issues.length > 0) return failWith(validationError(issues));

  return changeJobs(deps, input, async (tx, matched, now) => {
    const completed = matched.filter(({ status }) => status === 'COMPLETED').map(({ id }) => id);
    const stillWaiting = await jobsWithPlanned(tx, completed);
    const running = matched.filter(({ id, status }) => status === 'ACTIVE' || stillWaiting.has(id));
    const changes = running.map((before) => ({
      before,
      after: pausedJob(before, by, now, { reason, until }),
    }));
    await pauseLocked(tx, deps, by, changes, now);
    return changes.length;
  });
}
