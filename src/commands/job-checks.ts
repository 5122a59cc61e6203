import type { PoolClient } from 'pg';
import type { FieldIssue } from '../domain/job-definition.ts';
import type { DefinitionCheck } from '../domain/job-validation.ts';
import { decodePublicId } from '../domain/public-id.ts';
import { lockJob, type StoredJob } from '../store/jobs.ts';
import {
  type CommandError,
  type CommandResult,
  failWith,
  invalidScheduleError,
  jobNotFound,
  validationError,
  versionConflict,
} from './command-result.ts';

/** The statuses that a client may ask for; the others come about. */
export function statusIssue(status: string): FieldIssue[] {
  return status === 'ACTIVE' || status === 'PAUSED'
    ? []
    : [{ path: ['status'], message: 'Must be ACTIVE or PAUSED.' }];
}

/** All that is wrong with an input, as the errors that a client sees; empty where nothing is. */
export function definitionErrors(check: DefinitionCheck, issues: readonly FieldIssue[]): CommandError[] {
  const all = check.ok ? [...issues] : [...issues, ...check.issues];
  return [
    ...(all.length > 0 ? [validationError(all)] : []),
    ...(!check.ok && check.scheduleIssue ? [invalidScheduleError(check.scheduleIssue)] : []),
  ];
}

/** The job to be changed, by its public id, and the version that the client has seen. */
export interface JobReference {
  id: string;
  expectedVersion?: number | null | undefined;
}

/** Locks the job that a command is about; a deleted one is as good as none. */
export async function lockLiveJob(
  tx: PoolClient,
  { id, expectedVersion }: JobReference,
): Promise<CommandResult<StoredJob>> {
  const uuid = decodePublicId('Job', id);
  const job = uuid === null ? null : await lockJob(tx, uuid);
  if (job === null || job.status === 'DELETED') return failWith(jobNotFound(id));
  if (typeof expectedVersion === 'number' && expectedVersion !== job.version) {
    return failWith(versionConflict(expectedVersion, job.version));
  }
  return { ok: true, value: job };
}
