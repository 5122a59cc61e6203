import type { JobDefinition, JobInput } from '../domain/job-definition.ts';
import { draftNewJob } from '../domain/job-input.ts';
import { firstRunAt } from '../domain/job-slots.ts';
import { replaceJobTags } from '../store/job-tags.ts';
import { insertJob, isKeyTaken, type StoredJob } from '../store/jobs.ts';
import { holdTagNames } from '../store/tags.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import { type CommandResult, failWith, keyTaken } from './command-result.ts';
import { commandTransaction } from './command-transaction.ts';
import { checkDefinition, statusIssue } from './job-checks.ts';
import { recordJobChange } from './job-record.ts';
import { noRunLeft } from './run-check.ts';

/** A new job. What is absent or null takes its default; `status` may be ACTIVE (the default) or PAUSED. */
export type CreateJobInput = JobInput & { status?: string | null | undefined };

/**
 * Creates a job. Its first run is the first slot after now, or `runAt`.
 *
 * @returns the job; or all that is wrong with the input, or that its key is taken
 */
export async function createJob(
  deps: CommandDeps,
  by: Caller,
  { status, ...input }: CreateJobInput,
): Promise<CommandResult<StoredJob>> {
  const checked = checkNewJob(deps, input, status ?? 'ACTIVE');
  if (!checked.ok) return checked;
  try {
    return await commandTransaction(deps, async (tx) => {
      if (checked.value.tags.length > 0) await holdTagNames(tx);
      const now = deps.clock.now();
      const job = newJob(checked.value, status === 'PAUSED', deps.newId(now), now, by);
      const hasSlots = job.schedule !== null || job.runAt !== null;
      const nextRunAt = firstRunAt(job, now);
      if (hasSlots && nextRunAt === null) return failWith(noRunLeft(job, now));

      const stored: StoredJob = { ...job, nextRunAt: job.status === 'ACTIVE' ? nextRunAt : null };
      await insertJob(tx, stored);
      if (stored.tags.length > 0) await replaceJobTags(tx, [stored], now, deps.newId);
      await recordJobChange(tx, deps, by, {
        action: 'CREATED',
        before: null,
        after: stored,
        now,
        kinds: ['JOB_CREATED'],
      });
      return { ok: true, value: stored };
    });
  } catch (error) {
    if (isKeyTaken(error)) return failWith(keyTaken());
    throw error;
  }
}

function checkNewJob(deps: CommandDeps, input: JobInput, status: string): CommandResult<JobDefinition> {
  const { draft, issues } = draftNewJob(input);
  return checkDefinition(deps, draft, [...statusIssue(status), ...issues]);
}

function newJob(definition: JobDefinition, paused: boolean, id: string, now: Date, by: Caller): StoredJob {
  return {
    ...definition,
    id,
    status: paused ? 'PAUSED' : 'ACTIVE',
    nextRunAt: null,
    pausedAt: paused ? now : null,
    pausedUntil: null,
    pauseReason: null,
    pausedBy: paused ? by.actor : null,
    version: 1,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
  };
}
