import { deleteDependenciesOf } from '../store/dependencies.ts';
import { type StoredJob, updateJob as writeJob } from '../store/jobs.ts';
import { requestCancellation, withdrawExecutions } from '../store/withdrawing.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import type { CommandResult } from './command-result.ts';
import { commandTransaction } from './command-transaction.ts';
import { type JobReference, lockLiveJob } from './job-checks.ts';
import { recordJobChange } from './job-record.ts';
import { DELETED } from './withdrawals.ts';

/**
 * Deletes a job, softly: its history stays until retention prunes it, its key is free again. Executions that wait are
 * cancelled, and those that run are asked to stop.
 *
 * @returns the job, with status DELETED
 */
export async function deleteJob(
  deps: CommandDeps,
  by: Caller,
  reference: JobReference,
): Promise<CommandResult<StoredJob>> {
  const result = await commandTransaction<CommandResult<StoredJob>>(deps, async (tx) => {
    const found = await lockLiveJob(tx, reference);
    if (!found.ok) return found;
    const before = found.value;
    const now = deps.clock.now();
    const after: StoredJob = {
      ...before,
      status: 'DELETED',
      deletedAt: now,
      nextRunAt: null,
      pausedAt: null,
      pausedUntil: null,
      pauseReason: null,
      pausedBy: null,
      version: before.version + 1,
      updatedAt: now,
    };
    await writeJob(tx, after);
    const events = await withdrawExecutions(tx, [after.id], DELETED, now);
    await deleteDependenciesOf(tx, after.id);
    await requestCancellation(tx, [after.id], { now, reason: DELETED.reason });
    await recordJobChange(tx, deps, by, {
      action: 'DELETED',
      before,
      after,
      now,
      kinds: ['JOB_DELETED'],
      events,
    });
    return { ok: true, value: after };
  });
  if (result.ok) deps.wake('cancellations');
  return result;
}
