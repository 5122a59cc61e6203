import type { PoolClient } from 'pg';
import type { AlertDefinition } from '../../domain/alert/alert.ts';
import { CHANNELS } from '../../domain/alert/channels.ts';
import { checkAlert } from '../../domain/alert/alert-validation.ts';
import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { decodePublicId, encodePublicId } from '../../domain/values/public-id.ts';
import { jobOfAlert, lockAlert, type StoredAlert } from '../../store/alerts/alerts.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import type { CommandDeps } from '../command-deps.ts';
import { type CommandError, type CommandResult, failWith, validationError } from '../command-result.ts';
import { lockLiveJob } from '../jobs/job-checks.ts';

/** An alert that a command is about, by its public id. */
export interface AlertReference {
  id: string;
}

/**
 * Checks an alert whole, and names all that is wrong with it.
 *
 * @param issues what was already found wrong when the input was read
 * @param knownTarget a target that the alert has already: whether it may be reached is not asked again, since the
 *   operator may have changed that, and it is no reason to refuse another threshold
 */
export function checkDefinition(
  deps: CommandDeps,
  alert: AlertDefinition,
  issues: readonly FieldIssue[],
  knownTarget?: string,
): CommandError[] {
  const found = [...issues, ...checkAlert(alert)];
  const { transport } = CHANNELS[alert.channel];
  const isTargetNew = alert.target !== knownTarget && !found.some(({ path }) => path[0] === 'target');
  if (isTargetNew && transport === 'MAIL' && !deps.alerts.isMailConfigured) {
    const message =
      'No mail can be sent: SMTP_URL is not set. Ask the operator of the scheduler, or use another channel.';
    found.push({ path: ['channel'], message });
  }
  const errors: CommandError[] = found.length > 0 ? [validationError(found)] : [];
  if (isTargetNew && transport === 'HTTP') {
    const target = deps.checkTarget(alert.target);
    if (!target.ok) errors.push(targetBlocked(target.address));
  }
  return errors;
}

function targetBlocked(address: string): CommandError {
  const message = `The address ${address} is one that the scheduler may not call.`;
  return { kind: 'TargetBlockedError', message, path: ['target'], address };
}

/**
 * Locks an alert and its job, the job first, as all do who lock both. An alert of a deleted job is as good as none.
 */
export async function lockAlertOfLiveJob(
  tx: PoolClient,
  { id }: AlertReference,
): Promise<CommandResult<{ job: StoredJob; alert: StoredAlert }>> {
  const uuid = decodePublicId('JobAlert', id);
  const jobId = uuid === null ? null : await jobOfAlert(tx, uuid);
  if (uuid === null || jobId === null) return failWith(alertNotFound(id));
  const job = await lockLiveJob(tx, { id: encodePublicId('Job', jobId) });
  const alert = job.ok ? await lockAlert(tx, uuid) : null;
  if (!job.ok || alert === null) return failWith(alertNotFound(id));
  return { ok: true, value: { job: job.value, alert } };
}

function alertNotFound(id: string): CommandError {
  const message = 'There is no such alert, or it or its job was deleted.';
  return { kind: 'NotFoundError', message, path: ['id'], id: id.slice(0, 64) };
}
