import type { PoolClient } from 'pg';
import { type StoredJob, updateJobs } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { kindsOf } from './job-change.ts';
import { type JobReference, lockLiveJob } from './job-checks.ts';
import { type JobRecord, recordJobChanges } from './job-record.ts';
import { pastSkippedRuns } from './skipped-runs.ts';
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
    const now = deps.clock.now();
    const change = { before, after: takenUpAgain(before, now) };
    const [after] = await resumeLocked(tx, deps, by, [change], now);
    return { ok: true, value: after ?? before };
  });
}

/**
 * Resumes paused jobs that the transaction holds locked, with their audit entries and events: the
 * transaction's last writes. One that is to stay paused is changed only.
 *
 * @returns the jobs as they are now, in the same order
 */
export async function resumeLocked(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  changes: readonly { before: StoredJob; after: StoredJob }[],
  now: Date,
): Promise<StoredJob[]> {
  const changed = await pastSkippedRuns(
    tx,
    changes.map(({ after }) => after),
  );
  await updateJobs(tx, changed);
  const records = changed.map((after, index): JobRecord => {
    const before = changes[index]?.before ?? after;
    const action = after.status === 'PAUSED' ? 'UPDATED' : 'RESUMED';
    return { action, before, after, now, kinds: kindsOf(before, after) };
  });
  await recordJobChanges(tx, deps, by, records);
  return changed;
}
