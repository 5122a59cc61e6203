import { isDeepStrictEqual } from 'node:util';
import { type JobDefinition, SLOT_FIELDS } from '../../domain/job/job-definition.ts';
import { firstRunAt, nextRunAfter, nextRunAfterChange } from '../../domain/schedule/job-slots.ts';
import type { NewEvent } from '../../store/events/append-events.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import type { Caller } from '../command-deps.ts';
import { type CommandResult, failWith } from '../command-result.ts';
import { changedFields } from './job-record.ts';
import { resumed } from './resumed-job.ts';
import { noRunLeft } from '../executions/run-check.ts';

/**
 * A job with a new definition, a status where one is asked for, and the next run that follows from both. A change of when
 * it runs counts from now, and makes a completed job ACTIVE again.
 */
export function changedJob(
  before: StoredJob,
  definition: JobDefinition,
  askedStatus: string | null | undefined,
  by: Caller,
  now: Date,
): CommandResult<StoredJob> {
  const slotsChanged = haveSlotsChanged(before, definition);
  const revived = before.status === 'COMPLETED' && (slotsChanged || askedStatus === 'ACTIVE');
  // New slots count from now, and not from the end of a pause that is over but for its being taken up.
  const isPauseOver = before.pausedUntil !== null && before.pausedUntil <= now;
  const status = askedStatus ?? (revived || (slotsChanged && isPauseOver) ? 'ACTIVE' : before.status);
  const job: StoredJob = { ...before, ...definition, version: before.version + 1, updatedAt: now };

  if (hasSlots(job) && (slotsChanged || revived) && firstRunAt(job, now) === null)
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

/** Whether two definitions name different slots. */
export function haveSlotsChanged(before: JobDefinition, after: JobDefinition): boolean {
  return SLOT_FIELDS.some((field) => !isDeepStrictEqual(before[field], after[field]));
}

/**
 * Whether a change gives slots to a job that had none. With slots it looks at how others ended last; what its edges had
 * gathered until then would be stale when it has none again.
 */
export function gainsSlots(before: JobDefinition, after: JobDefinition): boolean {
  return !hasSlots(before) && hasSlots(after);
}

function hasSlots({ schedule, runAt }: JobDefinition): boolean {
  return schedule !== null || runAt !== null;
}

const PAUSE_FIELDS: ReadonlySet<string> = new Set([
  'status',
  'pausedAt',
  'pausedUntil',
  'pauseReason',
  'pausedBy',
]);

/** The events of a change, in their order. */
export function kindsOf(before: StoredJob, after: StoredJob): NewEvent['kind'][] {
  const kinds: NewEvent['kind'][] = [];
  if (changedFields(before, after).some((field) => !PAUSE_FIELDS.has(field))) kinds.push('JOB_UPDATED');
  if (before.status !== 'PAUSED' && after.status === 'PAUSED') kinds.push('JOB_PAUSED');
  if (before.status === 'PAUSED' && after.status !== 'PAUSED') kinds.push('JOB_RESUMED');
  if (after.status === 'COMPLETED' && before.status !== 'COMPLETED') kinds.push('JOB_COMPLETED');
  return kinds.length > 0 ? kinds : ['JOB_UPDATED'];
}
