import type { PoolClient } from 'pg';
import { decodePublicId, encodePublicId } from '../../domain/values/public-id.ts';
import type { NewAuditEntry } from '../../store/events/audit-log.ts';
import { recordChanges } from '../../store/executions/recording.ts';
import type { Dependency } from '../../store/jobs/dependencies.ts';
import { lockJob, type StoredJob, updateJob } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, namedIn } from '../command-result.ts';
import { lockLiveJob } from '../jobs/job-checks.ts';
import { jobEvent } from '../jobs/job-record.ts';

/** An edge as commands name it, by the public ids of its ends. */
export interface DependencyReference {
  /** The job that waits. */
  jobId: string;
  /** The job that it waits for. */
  dependsOnId: string;
}

/** Locks the two ends of an edge, in the order of their ids, as all do who lock several jobs. */
export async function lockBothJobs(
  tx: PoolClient,
  { jobId, dependsOnId }: DependencyReference,
): Promise<CommandResult<{ job: StoredJob; dependsOn: StoredJob }>> {
  const uuids = [jobId, dependsOnId].flatMap((id) => decodePublicId('Job', id) ?? []);
  for (const uuid of uuids.sort()) await lockJob(tx, uuid);
  const job = namedIn(await lockLiveJob(tx, { id: jobId }), 'jobId');
  if (!job.ok) return job;
  const dependsOn = namedIn(await lockLiveJob(tx, { id: dependsOnId }), 'dependsOnId');
  return dependsOn.ok ? { ok: true, value: { job: job.value, dependsOn: dependsOn.value } } : dependsOn;
}

/**
 * Writes down that the edges of a locked job have changed: version, audit entry, event. Must be the transaction's last
 * step, because the event log's lock is to be the last one taken.
 *
 * @returns the job as it is now
 */
export async function recordDependencyChange(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  change: {
    action: 'DEPENDENCY_ADDED' | 'DEPENDENCY_REMOVED';
    job: StoredJob;
    dependency: Dependency;
    now: Date;
  },
): Promise<StoredJob> {
  const { action, job, dependency, now } = change;
  const after: StoredJob = { ...job, version: job.version + 1, updatedAt: now };
  await updateJob(tx, after);
  const facts = {
    dependsOnId: encodePublicId('Job', dependency.dependsOnId),
    condition: dependency.condition,
  };
  const entry: NewAuditEntry = {
    id: deps.newId(now),
    at: now,
    action,
    actor: by.actor,
    jobId: job.id,
    before: action === 'DEPENDENCY_REMOVED' ? facts : null,
    after: action === 'DEPENDENCY_ADDED' ? facts : null,
    requestId: by.requestId,
    address: by.address,
  };
  await recordChanges(tx, { audit: [entry], events: [jobEvent('JOB_UPDATED', after, now, job)] });
  return after;
}
