import { isDeepStrictEqual } from 'node:util';
import { type Draft, draftReplacement } from '../../domain/job/job-input.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { checkNewJob, type CreateJobInput } from './create-job.ts';
import { changedJob, haveSlotsChanged } from './job-change.ts';
import { checkDefinition, statusIssue } from './job-checks.ts';
import { changedFields } from './job-record.ts';
import { newJob } from './new-job.ts';

/** What an upsert makes of one job. */
export interface UpsertPlan {
  /** The job that bears the key, locked; null where there is none. */
  before: StoredJob | null;
  /** The very same where nothing changes. */
  after: StoredJob;
}

export function isNew({ before }: UpsertPlan): boolean {
  return before === null;
}

export function isChanged({ before, after }: UpsertPlan): boolean {
  return before !== null && before !== after;
}

/** Decides what is done with one job; or says all that is wrong with the input. */
export function planUpsert(
  deps: CommandDeps,
  by: Caller,
  before: StoredJob | null,
  { status, ...input }: CreateJobInput,
  now: Date,
): CommandResult<UpsertPlan> {
  if (before === null) {
    const checked = checkNewJob(deps, input, status ?? 'ACTIVE');
    const made = checked.ok ? newJob(deps, by, checked.value, status === 'PAUSED', now) : checked;
    return made.ok ? { ok: true, value: { before, after: made.value } } : made;
  }
  const { draft, issues } = draftReplacement(before, input);
  // Most of what is upserted is as it was, and what a job is was checked before it was stored.
  if (isSame(draft, before) && (status ?? before.status) === before.status && issues.length === 0)
    return { ok: true, value: { before, after: before } };

  const checked = checkDefinition(deps, draft, [...statusIssue(status ?? 'ACTIVE'), ...issues], before);
  if (!checked.ok) return checked;
  const definition = checked.value;
  // ACTIVE means not paused: a job that has run all its runs has nothing left to be active for.
  const isDone = before.status === 'COMPLETED' && !haveSlotsChanged(before, definition);
  const askedStatus = status === 'ACTIVE' && isDone ? null : status;
  const changed = changedJob(before, definition, askedStatus, by, now);
  if (!changed.ok) return changed;
  const after = changedFields(before, changed.value).length === 0 ? before : changed.value;
  return { ok: true, value: { before, after } };
}

function isSame(draft: Draft, job: StoredJob): boolean {
  const fields = Object.keys(draft) as (keyof Draft)[];
  return fields.every((field) => isDeepStrictEqual(draft[field], job[field]));
}
