import type { PoolClient } from 'pg';
import type { JobDefinition, JobInput } from '../../domain/job/job-definition.ts';
import { draftNewJob } from '../../domain/job/job-input.ts';
import { insertRecordedJob } from '../../store/executions/recording.ts';
import type { WakeUp } from '../../events/wakeups.ts';
import { replaceJobTags } from '../../store/tags/job-tags.ts';
import { insertJobs, isKeyTaken, type StoredJob } from '../../store/jobs/jobs.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import { holdTagNames } from '../../store/tags/tags.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, keyTaken } from '../command-result.ts';
import { commandStatement, commandTransaction } from '../command-transaction.ts';
import { checkDefinition, statusIssue } from './job-checks.ts';
import { changeRecordOf, type JobRecord, recordJobChange } from './job-record.ts';
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
  const definition = checked.value;
  const isTagged = definition.tags.length > 0;
  const isPaused = status === 'PAUSED';
  try {
    return isTagged
      ? await commandTransaction(deps, (tx) => createTagged(tx, deps, by, definition, isPaused), wakesOf)
      : await commandStatement(deps, (db) => createUntagged(db, deps, by, definition, isPaused), wakesOf);
  } catch (error) {
    if (isKeyTaken(error)) return failWith(keyTaken());
    throw error;
  }
}

async function createTagged(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  definition: JobDefinition,
  isPaused: boolean,
): Promise<CommandResult<StoredJob>> {
  await holdTagNames(tx);
  const now = deps.clock.now();
  const made = newJob(deps, by, definition, isPaused, now);
  if (!made.ok) return made;
  await insertJobs(tx, [made.value]);
  await replaceJobTags(tx, [made.value], now, deps.newId);
  await recordJobChange(tx, deps, by, creationOf(made.value));
  return made;
}

/** By one statement: no other table needs the job before its event is appended. */
async function createUntagged(
  db: Queryable,
  deps: CommandDeps,
  by: Caller,
  definition: JobDefinition,
  isPaused: boolean,
): Promise<CommandResult<StoredJob>> {
  const made = newJob(deps, by, definition, isPaused, deps.clock.now());
  if (made.ok) await insertRecordedJob(db, made.value, changeRecordOf(deps, by, [creationOf(made.value)]));
  return made;
}

function creationOf(job: StoredJob): JobRecord {
  return { action: 'CREATED', before: null, after: job, now: job.createdAt, kinds: ['JOB_CREATED'] };
}

/** A new job has nothing yet that could be claimed, or wait. */
function wakesOf(result: CommandResult<StoredJob>): WakeUp[] {
  return result.ok ? ['jobs', 'events'] : [];
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
