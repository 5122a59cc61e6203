import type { PoolClient } from 'pg';
import { type StoredJob, updateJobs } from '../store/jobs.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import { type CommandResult, failWith } from './command-result.ts';
import { commandTransaction } from './command-transaction.ts';
import { kindsOf } from './job-change.ts';
import { type JobReference, lockLiveJob } from './job-checks.ts';
import { type JobRecord, recordJobChanges } from './job-record.ts';
import { pastLeftOutRuns } from './left-out-runs.ts';
import { takenUpAgain } from './resumed-job.ts';

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
    const [after] = await resumeLocked(tx, deps, by, [before], deps.clock.now());
    return { ok: true, value: after ?? before };
  });
}

/**
 * Resumes paused jobs that the transaction holds locked, with their audit entries and events: the transaction's last
 * writes.
 *
 * @returns the jobs as they are now, in the same order
 */
export async function resumeLocked(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  paused: readonly StoredJob[],
  now: Date,
): Promise<StoredJob[]> {
  const resumed = await pastLeftOutRuns(
    tx,
    paused.map((job) => takenUpAgain(job, now)),
  );
  await updateJobs(tx, resumed);
  const records = resumed.map((after, index): JobRecord => {
    const before = paused[index] ?? after;
    return { action: 'RESUMED', before, after, now, kinds: kindsOf(before, after) };
  });
  await recordJobChanges(tx, deps, by, records);
  return resumed;
}
