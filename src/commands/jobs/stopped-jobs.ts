import type { PoolClient } from 'pg';
import { type Withdrawal, withdrawExecutions } from '../../store/executions/withdrawing.ts';
import { type StoredJob, updateJobs } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type JobRecord, recordJobChanges } from './job-record.ts';

/** A job before and after a change. */
export interface JobChange {
  before: StoredJob;
  after: StoredJob;
}

interface Stop {
  action: JobRecord['action'];
  kind: JobRecord['kinds'][number];
  /** Which of the jobs' waiting executions are cancelled, and why. */
  withdrawal: Withdrawal;
  now: Date;
}

/**
 * Writes jobs that no longer run, and cancels their executions that wait. These are the last writes of a transaction that
 * holds the jobs locked.
 *
 * @param furtherWrites what else is written before the changes are recorded
 */
export async function stopLocked(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  changes: readonly JobChange[],
  { action, kind, withdrawal, now }: Stop,
  furtherWrites: (jobIds: string[]) => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const jobs = changes.map(({ after }) => after);
  const ids = jobs.map(({ id }) => id);
  await updateJobs(tx, jobs);
  const events = await withdrawExecutions(tx, ids, withdrawal, now);
  await furtherWrites(ids);
  const records = changes.map((change): JobRecord => ({ ...change, action, now, kinds: [kind] }));
  await recordJobChanges(tx, deps, by, records, events);
}
