import { ALERT_DEFAULTS, ALERT_LIMITS, type AlertDefinition } from '../../domain/alert/alert.ts';
import { storedEvents } from '../../domain/alert/alert-validation.ts';
import { countAlerts, insertAlert, type StoredAlert } from '../../store/alerts/alerts.ts';
import { checkDefinition } from './alert-checks.ts';
import { recordAlertChange } from './alert-record.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, validationError } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { lockLiveJob } from '../jobs/job-checks.ts';

/** A new alert. What is absent or null takes its default. */
export type CreateJobAlertInput = Pick<AlertDefinition, 'channel' | 'target' | 'events'> & {
  jobId: string;
  failureThreshold?: number | null | undefined;
  latenessThresholdMs?: number | null | undefined;
  enabled?: boolean | null | undefined;
};

/**
 * Creates an alert, which tells of what happens from now on.
 *
 * @returns the alert; or all that is wrong with the input, or that the job has as many as it may
 */
export async function createJobAlert(
  deps: CommandDeps,
  by: Caller,
  input: CreateJobAlertInput,
): Promise<CommandResult<StoredAlert>> {
  const definition: AlertDefinition = {
    channel: input.channel,
    target: input.target,
    events: storedEvents(input.events),
    failureThreshold: input.failureThreshold ?? ALERT_DEFAULTS.failureThreshold,
    latenessThresholdMs: input.latenessThresholdMs ?? ALERT_DEFAULTS.latenessThresholdMs,
    enabled: input.enabled ?? ALERT_DEFAULTS.enabled,
  };
  const errors = checkDefinition(deps, definition, []);
  if (errors.length > 0) return { ok: false, errors };

  const result = await commandTransaction<CommandResult<StoredAlert>>(deps, async (tx) => {
    const found = await lockLiveJob(tx, { id: input.jobId });
    if (!found.ok) return { ok: false, errors: found.errors.map((error) => ({ ...error, path: ['jobId'] })) };
    const job = found.value;
    const count = await countAlerts(tx, job.id);
    if (count >= ALERT_LIMITS.perJob) {
      const message = `The job has ${count} alerts; more than ${ALERT_LIMITS.perJob} are not allowed.`;
      return failWith(validationError([{ path: ['jobId'], message }]));
    }
    const now = deps.clock.now();
    const alert = { ...definition, id: deps.newId(now), jobId: job.id, createdAt: now, updatedAt: now };
    await insertAlert(tx, alert);
    await recordAlertChange(tx, deps, by, { action: 'ALERT_CREATED', job, before: null, after: alert, now });
    return { ok: true, value: alert };
  });
  if (result.ok) deps.wake('alerts');
  return result;
}
