import { isDeepStrictEqual } from 'node:util';
import type { PoolClient } from 'pg';
import type { AlertDefinition } from '../../domain/alert/alert.ts';
import { maskAlertTarget } from '../../domain/alert/alert-target.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import type { NewAuditEntry } from '../../store/events/audit-log.ts';
import { recordChanges } from '../../store/executions/recording.ts';
import type { StoredAlert } from '../../store/alerts/alerts.ts';
import { type StoredJob, updateJob } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { jobEvent } from '../jobs/job-record.ts';

/** What of an alert its owner decides, in the order in which the audit log shows it. */
const FIELDS = [
  'channel',
  'target',
  'events',
  'failureThreshold',
  'latenessThresholdMs',
  'enabled',
] as const satisfies readonly (keyof AlertDefinition)[];

/** Names of the fields by which two states of an alert differ. */
export function changedAlertFields(before: StoredAlert, after: StoredAlert): (keyof AlertDefinition)[] {
  return FIELDS.filter((field) => !isDeepStrictEqual(before[field], after[field]));
}

export interface AlertRecord {
  action: 'ALERT_CREATED' | 'ALERT_UPDATED' | 'ALERT_DELETED';
  /** Locked by the transaction. */
  job: StoredJob;
  before: StoredAlert | null;
  after: StoredAlert | null;
  now: Date;
}

/**
 * Writes down that an alert of a locked job has changed: the job's version, audit entry, event. Must be the
 * transaction's last step, because the event log's lock is to be the last one taken.
 */
export async function recordAlertChange(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  { action, job, before, after, now }: AlertRecord,
): Promise<void> {
  const changed: StoredJob = { ...job, version: job.version + 1, updatedAt: now };
  await updateJob(tx, changed);
  const fields = before && after ? changedAlertFields(before, after) : FIELDS;
  const entry: NewAuditEntry = {
    id: deps.newId(now),
    at: now,
    action,
    actor: by.actor,
    jobId: job.id,
    before: before && pick(before, fields),
    after: after && pick(after, fields),
    requestId: by.requestId,
    address: by.address,
  };
  await recordChanges(tx, { audit: [entry], events: [jobEvent('JOB_UPDATED', changed, now, job)] });
}

function pick(alert: StoredAlert, fields: readonly (keyof AlertDefinition)[]): Record<string, unknown> {
  const shown = { ...alert, target: maskAlertTarget(alert.channel, alert.target) };
  return {
    alertId: encodePublicId('JobAlert', alert.id),
    ...Object.fromEntries(fields.map((field) => [field, shown[field]])),
  };
}
