import type { PoolClient } from 'pg';
import { nextRunAfter } from '../domain/job-slots.ts';
import { type StoredJob, updateJob as writeJob } from '../store/jobs.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import { type CommandResult, failWith } from './command-result.ts';
import { commandTransaction } from './command-transaction.ts';
import { type JobReference, lockLiveJob } from './job-checks.ts';
import { recordJobChange } from './job-record.ts';
import { pastLeftOutRuns } from './left-out-runs.ts';
import { resumed } from './resumed-job.ts';

/**
 * Takes a paused job up again, from its next slot on; slots that passed meanwhile are not replayed. A one-off whose
 * instant has passed, or a schedule whose window has, becomes COMPLETED. Resuming an active job changes nothing.
 */
export async function resumeJob(
  deps: CommandDeps,
  by: Caller,
  reference: JobReference,
): Promise<CommandResult<StoredJob>> {
  return commandTransaction(deps, async (tx) => {
    const found = await lockLiveJob(tx, reference);
    if (!found.ok) return found;
    const before = found.value;
    if (before.status === 'ACTIVE') return { ok: true, value: before };
    if (before.status === 'COMPLETED') {
      const message = 'The job is complete: give it a schedule or a runAt with runs left.';
      return failWith({ kind: 'ConflictError', message, path: ['id'] });
    }
    return { ok: true, value: await resumeLocked(tx, deps, by, before) };
  });
}

/** Resumes a job that the transaction holds locked, with its audit entry and events: the transaction's last write. */
export async function resumeLocked(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  before: StoredJob,
): Promise<StoredJob> {
  const now = deps.clock.now();
  const next = await pastLeftOutRuns(tx, resumed(before, nextRunAfter(before, now)));
  const after: StoredJob = { ...next, version: before.version + 1, updatedAt: now };
  await writeJob(tx, after);
  const kinds =
    after.status === 'COMPLETED' ? (['JOB_RESUMED', 'JOB_COMPLETED'] as const) : (['JOB_RESUMED'] as const);
  await recordJobChange(tx, deps, by, { action: 'RESUMED', before, after, now, kinds });
  return after;
}
