import type { JobDefinition, JobInput } from '../domain/job-definition.ts';
import { draftNewJob } from '../domain/job-input.ts';
import { replaceJobTags } from '../store/job-tags.ts';
import { insertJob, isKeyTaken, type StoredJob } from '../store/jobs.ts';
import { holdTagNames } from '../store/tags.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import { type CommandResult, failWith, keyTaken } from './command-result.ts';
import { commandTransaction } from './command-transaction.ts';
import { checkDefinition, statusIssue } from './job-checks.ts';
import { recordJobChange } from './job-record.ts';
import { newJob } from './new-job.ts';

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
    return await commandTransaction<CommandResult<StoredJob>>(deps, async (tx) => {
      if (checked.value.tags.length > 0) await holdTagNames(tx);
      const now = deps.clock.now();
      const made = newJob(deps, by, checked.value, status === 'PAUSED', now);
      if (!made.ok) return made;
      const job = made.value;
      await insertJob(tx, job);
      if (job.tags.length > 0) await replaceJobTags(tx, [job], now, deps.newId);
      await recordJobChange(tx, deps, by, {
        action: 'CREATED',
        before: null,
        after: job,
        now,
        kinds: ['JOB_CREATED'],
      });
      return { ok: true, value: job };
    });
  } catch (error) {
    if (isKeyTaken(error)) return failWith(keyTaken());
    throw error;
  }
}

/** Checks the definition of a job that is to be new. */
export function checkNewJob(
  deps: CommandDeps,
  input: JobInput,
  status: string,
): CommandResult<JobDefinition> {
  const { draft, issues } = draftNewJob(input);
  return checkDefinition(deps, draft, [...statusIssue(status), ...issues]);
}
