import { isDeepStrictEqual } from 'node:util';
import { type JobDefinition, type JobInput, SLOT_FIELDS } from '../domain/job-definition.ts';
import { draftUpdate } from '../domain/job-input.ts';
import { firstRunAt, nextRunAfter, nextRunAfterChange } from '../domain/job-slots.ts';
import type { NewEvent } from '../store/event-log.ts';
import { replaceJobTags } from '../store/job-tags.ts';
import { isKeyTaken, type StoredJob, updateJob as writeJob } from '../store/jobs.ts';
import { holdTagNames } from '../store/tags.ts';
import { type Withdrawal, withdrawExecutions } from '../store/withdrawing.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import { type CommandResult, failWith, keyTaken } from './command-result.ts';
import { commandTransaction } from './command-transaction.ts';
import { checkDefinition, type JobReference, lockLiveJob, statusIssue } from './job-checks.ts';
import { changedFields, recordJobChange } from './job-record.ts';
import { pastLeftOutRuns } from './left-out-runs.ts';
import { resumed } from './resumed-job.ts';
import { noRunLeft } from './run-check.ts';
import { PAUSED, RESCHEDULED } from './withdrawals.ts';

/** Absent leaves a field as it is; null clears it where it may be null. */
export type UpdateJobInput = JobReference & JobInput & { status?: string | null | undefined };

/**
 * Changes a job. Where the change concerns its slots, the next run is computed anew from now; a completed job that
 * has runs again becomes ACTIVE. A change that changes nothing writes nothing, and leaves the version as it is.
 *
 * @returns the job as it is now
 */
export async function updateJob(
  deps: CommandDeps,
  by: Caller,
  { id, expectedVersion, status, ...input }: UpdateJobInput,
): Promise<CommandResult<StoredJob>> {
  try {
    return await commandTransaction(deps, async (tx) => {
      if (input.tags) await holdTagNames(tx);
      const found = await lockLiveJob(tx, { id, expectedVersion });
      if (!found.ok) return found;
      const before = found.value;
      const now = deps.clock.now();

      const definition = checkChange(deps, before, input, status);
      if (!definition.ok) return definition;
      const moved = moveJob(before, definition.value, status, by, now);
      if (!moved.ok) return moved;
      const after = await pastLeftOutRuns(tx, moved.value);
      if (changedFields(before, after).length === 0) return { ok: true, value: before };

      await writeJob(tx, after);
      if (!isDeepStrictEqual(before.tags, after.tags)) await replaceJobTags(tx, [after], now, deps.newId);
      const withdrawal = withdrawalFor(before, after);
      const events = withdrawal ? await withdrawExecutions(tx, [after.id], withdrawal, now) : [];
      await recordJobChange(tx, deps, by, {
        action: 'UPDATED',
        before,
        after,
        now,
        kinds: kindsOf(before, after),
        events,
      });
      return { ok: true, value: after };
    });
  } catch (error) {
    if (isKeyTaken(error)) return failWith(keyTaken());
    throw error;
  }
}

function checkChange(
  deps: CommandDeps,
  before: StoredJob,
  input: JobInput,
  status: string | null | undefined,
): CommandResult<JobDefinition> {
  const { draft, issues } = draftUpdate(before, input);
  if (status === null)
    issues.push({ path: ['status'], message: 'May not be null; leave it out to keep it as it is.' });
  else if (status !== undefined) issues.push(...statusIssue(status));
  return checkDefinition(deps, draft, issues, before.api);
}

/** The job with its new definition, status and next run. */
function moveJob(
  before: StoredJob,
  definition: JobDefinition,
  askedStatus: string | null | undefined,
  by: Caller,
  now: Date,
): CommandResult<StoredJob> {
  const slotsChanged = SLOT_FIELDS.some((field) => !isDeepStrictEqual(before[field], definition[field]));
  const revived = before.status === 'COMPLETED' && (slotsChanged || askedStatus === 'ACTIVE');
  const status = askedStatus ?? (revived ? 'ACTIVE' : before.status);
  const job: StoredJob = { ...before, ...definition, version: before.version + 1, updatedAt: now };

  const hasSlots = job.schedule !== null || job.runAt !== null;
  if (hasSlots && (slotsChanged || revived) && firstRunAt(job, now) === null)
    return failWith(noRunLeft(job, now));
  if (status === 'PAUSED') {
    const paused = before.status === 'PAUSED' ? {} : { pausedAt: now, pausedBy: by.actor };
    return { ok: true, value: { ...job, ...paused, status: 'PAUSED', nextRunAt: null } };
  }
  if (status !== 'ACTIVE') return { ok: true, value: job };
  if (before.status === 'ACTIVE') {
    const nextRunAt = slotsChanged ? nextRunAfterChange(before, job, now) : before.nextRunAt;
    return { ok: true, value: { ...job, nextRunAt } };
  }
  return { ok: true, value: resumed(job, slotsChanged ? firstRunAt(job, now) : nextRunAfter(job, now)) };
}

/** What of the waiting executions was planned by a definition that no longer holds. */
function withdrawalFor(before: StoredJob, after: StoredJob): Withdrawal | null {
  if (after.status === 'PAUSED' && before.status !== 'PAUSED') return PAUSED;
  const slotsChanged = SLOT_FIELDS.some((field) => !isDeepStrictEqual(before[field], after[field]));
  return slotsChanged ? RESCHEDULED : null;
}

function kindsOf(before: StoredJob, after: StoredJob): NewEvent['kind'][] {
  const pauseFields: ReadonlySet<string> = new Set([
    'status',
    'pausedAt',
    'pausedUntil',
    'pauseReason',
    'pausedBy',
  ]);
  const kinds: NewEvent['kind'][] = [];
  if (changedFields(before, after).some((field) => !pauseFields.has(field))) kinds.push('JOB_UPDATED');
  if (before.status !== 'PAUSED' && after.status === 'PAUSED') kinds.push('JOB_PAUSED');
  if (before.status === 'PAUSED' && after.status !== 'PAUSED') kinds.push('JOB_RESUMED');
  if (after.status === 'COMPLETED' && before.status !== 'COMPLETED') kinds.push('JOB_COMPLETED');
  return kinds.length > 0 ? kinds : ['JOB_UPDATED'];
}
