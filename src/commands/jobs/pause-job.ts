import type { PoolClient } from 'pg';
import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { JOB_LIMITS } from '../../domain/job/job-limits.ts';
import { isStorableInstant } from '../../domain/job/job-validation.ts';
import { checkText } from '../../domain/values/text.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import { jobsWithPlanned } from '../../store/executions/withdrawing.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, validationError } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { type JobReference, lockLiveJob } from './job-checks.ts';
import { changedFields } from './job-record.ts';
import { type JobChange, stopLocked } from './stopped-jobs.ts';
import { PAUSED } from '../executions/withdrawals.ts';

/** What may be said of a pause. */
export interface PauseFacts {
  reason?: string | null | undefined;
  /** When the job goes on by itself; absent or null: when somebody resumes it. */
  until?: Date | null | undefined;
}

export type PauseJobInput = JobReference & PauseFacts;

/**
 * Stops a job's schedule. Executions that were planned and not yet started are cancelled; what runs, runs on. Pausing
 * a paused job changes reason and `until` only. A completed job can be paused while its last run waits to start.
 */
export async function pauseJob(
  deps: CommandDeps,
  by: Caller,
  { reason, until, ...reference }: PauseJobInput,
): Promise<CommandResult<StoredJob>> {
  const issues = checkPause({ reason, until }, deps.clock.now());
  if (issues.length > 0) return failWith(validationError(issues));

  return commandTransaction(deps, async (tx) => {
    const found = await lockLiveJob(tx, reference);
    if (!found.ok) return found;
    const before = found.value;
    if (before.status === 'COMPLETED' && (await jobsWithPlanned(tx, [before.id])).size === 0) {
      return failWith({
        kind: 'ConflictError',
        message: 'The job is complete: it has no runs left to pause.',
        path: ['id'],
      });
    }
    const now = deps.clock.now();
    const after = pausedJob(before, by, now, { reason, until });
    if (changedFields(before, after).length === 0) return { ok: true, value: before };

    await pauseLocked(tx, deps, by, [{ before, after }], now);
    return { ok: true, value: after };
  });
}

/** What is wrong with what is said of a pause. */
export function checkPause({ reason = null, until = null }: PauseFacts, now: Date): FieldIssue[] {
  const reasonIssue = reason === null ? null : checkText(reason, JOB_LIMITS.pauseReason);
  const issues: FieldIssue[] = reasonIssue === null ? [] : [{ path: ['reason'], message: reasonIssue }];
  if (until !== null && !(until > now && isStorableInstant(until))) {
    issues.push({ path: ['until'], message: 'Must lie in the future, before the year 10000.' });
  }
  return issues;
}

/** The job as it is when it is paused at `now`, as its next version. */
export function pausedJob(
  before: StoredJob,
  by: Caller,
  now: Date,
  { reason = null, until = null }: PauseFacts,
): StoredJob {
  const since = before.status === 'PAUSED' ? {} : { pausedAt: now, pausedBy: by.actor };
  return {
    ...before,
    ...since,
    status: 'PAUSED',
    nextRunAt: null,
    pauseReason: reason,
    pausedUntil: until,
    version: before.version + 1,
    updatedAt: now,
  };
}

/** Pauses jobs that the transaction holds locked, or changes their pauses: its last writes. */
export async function pauseLocked(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  changes: readonly JobChange[],
  now: Date,
): Promise<void> {
  await stopLocked(tx, deps, by, changes, { action: 'PAUSED', kind: 'JOB_PAUSED', withdrawal: PAUSED, now });
}
