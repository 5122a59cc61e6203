import type { Caller, CommandDeps } from './command-deps.ts';
import type { CommandResult } from './command-result.ts';
import { type BulkJobsInput, type BulkOutcome, changeJobs } from './job-chunks.ts';
import { runByHand } from './run-by-hand.ts';

/** Runs each of the selected jobs now, beside its schedule, whether it is paused or complete; not those deleted. */
export async function triggerJobs(
  deps: CommandDeps,
  by: Caller,
  input: BulkJobsInput,
): Promise<CommandResult<BulkOutcome>> {
  const replacing: boolean[] = [];
  const result = await changeJobs(deps, input, async (tx, matched, now) => {
    const live = matched.filter(({ status }) => status !== 'DELETED');
    const runs = live.map((job) => ({ job }));
    replacing.push((await runByHand(tx, deps, by, runs, now)).isReplacing);
    return live.length;
  });
  if (replacing.includes(true)) deps.wake('cancellations');
  return result;
}
