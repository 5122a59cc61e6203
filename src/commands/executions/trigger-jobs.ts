import type { WakeUp } from '../../events/wakeups.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { type BulkJobsInput, type BulkOutcome, changeJobs } from '../jobs/job-chunks.ts';
import { runManually } from './run-manually.ts';

/** Runs each of the selected jobs now, beside its schedule, whether it is paused or complete; not those deleted. */
export async function triggerJobs(
  deps: CommandDeps,
  by: Caller,
  input: BulkJobsInput,
): Promise<CommandResult<BulkOutcome>> {
  const woken = new Set<WakeUp>();
  const result = await changeJobs(deps, input, async (tx, matched, now) => {
    const live = matched.filter(({ status }) => status !== 'DELETED');
    const runs = live.map((job) => ({ job }));
    for (const kind of (await runManually(tx, deps, by, runs, now)).wakes) woken.add(kind);
    return live.length;
  });
  if (woken.has('cancellations')) deps.wake('cancellations');
  return result;
}
