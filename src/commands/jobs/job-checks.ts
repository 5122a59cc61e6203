import type { PoolClient } from 'pg';
import type { FieldIssue, JobDefinition } from '../../domain/job/job-definition.ts';
import type { Draft } from '../../domain/job/job-input.ts';
import { checkJobDefinition } from '../../domain/job/job-validation.ts';
import { decodePublicId } from '../../domain/values/public-id.ts';
import { checkTargetUrl } from '../../domain/request/target-url.ts';
import { lockJob, lockUntaggedJob, type StoredJob, type UntaggedJob } from '../../store/jobs/jobs.ts';
import type { CommandDeps } from '../command-deps.ts';
import {
  type CommandError,
  type CommandResult,
  failWith,
  invalidScheduleError,
  jobNotFound,
  targetBlocked,
  validationError,
  versionConflict,
} from '../command-result.ts';

/** The statuses that a client may ask for; the others come about. */
export function statusIssue(status: string): FieldIssue[] {
  return status === 'ACTIVE' || status === 'PAUSED'
    ? []
    : [{ path: ['status'], message: 'Must be ACTIVE or PAUSED.' }];
}

/**
 * Checks a definition whole, and names all that is wrong with it as the errors that a client sees.
 *
 * @param issues what was already found wrong when the input was read
 * @param before the job as it is. The address of its URL is not asked about again: the operator may have blocked it since, and
 *   that is no reason to refuse a new name; nor is its body, where method and body stay
 */
export function checkDefinition(
  deps: Pick<CommandDeps, 'checkTarget'>,
  draft: Draft,
  issues: readonly FieldIssue[],
  before?: Pick<JobDefinition, 'api' | 'method' | 'body'>,
): CommandResult<JobDefinition> {
  const isBodyKnown = draft.method === before?.method && draft.body === before.body;
  const check = checkJobDefinition(draft, isBodyKnown);
  const allIssues = check.ok ? issues : [...issues, ...check.issues];
  const errors: CommandError[] = allIssues.length > 0 ? [validationError([...allIssues])] : [];
  if (!check.ok && check.scheduleIssue) errors.push(invalidScheduleError(check.scheduleIssue));
  if (draft.api !== before?.api && checkTargetUrl(draft.api) === null) {
    const target = deps.checkTarget(draft.api);
    if (!target.ok) errors.push(targetBlocked(target.address));
  }
  return check.ok && errors.length === 0 ? { ok: true, value: check.definition } : { ok: false, errors };
}

/** The job to be changed, by its public id, and the version that the client has seen. */
export interface JobReference {
  id: string;
  expectedVersion?: number | null | undefined;
}

/** Locks the job that a command is about; a deleted one is as good as none. */
export function lockLiveJob(tx: PoolClient, reference: JobReference): Promise<CommandResult<StoredJob>> {
  return lockLive(reference, (uuid) => lockJob(tx, uuid));
}

/** The same for a command that does not ask for the job's tags. */
export function lockLiveUntaggedJob(
  tx: PoolClient,
  reference: JobReference,
): Promise<CommandResult<UntaggedJob>> {
  return lockLive(reference, (uuid) => lockUntaggedJob(tx, uuid));
}

async function lockLive<Job extends UntaggedJob>(
  { id, expectedVersion }: JobReference,
  lock: (uuid: string) => Promise<Job | null>,
): Promise<CommandResult<Job>> {
  const uuid = decodePublicId('Job', id);
  const job = uuid === null ? null : await lock(uuid);
  if (job === null || job.status === 'DELETED') return failWith(jobNotFound(id));
  if (typeof expectedVersion === 'number' && expectedVersion !== job.version) {
    return failWith(versionConflict(expectedVersion, job.version));
  }
  return { ok: true, value: job };
}
