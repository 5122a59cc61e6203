import { decodePublicId } from '../../domain/values/public-id.ts';
import { deleteDependency, readDependencies } from '../../store/jobs/dependencies.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, namedIn } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { type DependencyReference, recordDependencyChange } from './dependency-record.ts';
import { lockLiveJob } from '../jobs/job-checks.ts';

/**
 * Lets a job wait for another no longer, also for one that was deleted. By itself this runs nothing, even where all
 * that is left to wait for has come: the next end does.
 *
 * @returns the job
 */
export async function removeJobDependency(
  deps: CommandDeps,
  by: Caller,
  { jobId, dependsOnId }: DependencyReference,
): Promise<CommandResult<StoredJob>> {
  return commandTransaction(deps, async (tx) => {
    const found = await lockLiveJob(tx, { id: jobId });
    if (!found.ok) return namedIn(found, 'jobId');
    const job = found.value;
    const upstream = decodePublicId('Job', dependsOnId);
    const dependency = (await readDependencies(tx, job.id)).find((each) => each.dependsOnId === upstream);
    if (!dependency) {
      const message = 'The job does not wait for that one.';
      return failWith({
        kind: 'NotFoundError',
        message,
        path: ['dependsOnId'],
        id: dependsOnId.slice(0, 64),
      });
    }
    const now = deps.clock.now();
    await deleteDependency(tx, dependency.id);
    const after = await recordDependencyChange(tx, deps, by, {
      action: 'DEPENDENCY_REMOVED',
      job,
      dependency,
      now,
    });
    return { ok: true, value: after };
  });
}
