import type { PoolClient } from 'pg';
import { deleteDependenciesOf } from '../../store/jobs/dependencies.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import { requestCancellation } from '../../store/executions/withdrawing.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { type JobReference, lockLiveJob } from './job-checks.ts';
import { type JobChange, stopLocked } from './stopped-jobs.ts';
import { DELETED } from '../executions/withdrawals.ts';

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
    const after = deletedJob(before, now);
    await deleteLocked(tx, deps, by, [{ before, after }], now);
    return { ok: true, value: after };
  });
  if (result.ok) deps.wake('cancellations');
  return result;
}

/** The job as it is when it is deleted at `now`, as its next version. */
export function deletedJob(before: StoredJob, now: Date): StoredJob {
  return {
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
}

/** Deletes jobs that the transaction holds locked: its last writes. Who runs executions of them is to be woken. */
export async function deleteLocked(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  changes: readonly JobChange[],
  now: Date,
): Promise<void> {
  const terms = { action: 'DELETED', kind: 'JOB_DELETED', withdrawal: DELETED, now } as const;
  await stopLocked(tx, deps, by, changes, terms, async (ids) => {
    await deleteDependenciesOf(tx, ids);
    await requestCancellation(tx, ids, { now, reason: DELETED.reason, scope: 'all' });
  });
}
