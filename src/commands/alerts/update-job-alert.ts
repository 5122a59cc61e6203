import type { AlertDefinition } from '../../domain/alert/alert.ts';
import { maskAlertTarget } from '../../domain/alert/alert-target.ts';
import { storedEvents } from '../../domain/alert/alert-validation.ts';
import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { giveUpDeliveries, type StoredAlert, updateAlert } from '../../store/alerts/alerts.ts';
import { type AlertReference, checkDefinition, lockAlertOfLiveJob } from './alert-checks.ts';
import { changedAlertFields, recordAlertChange } from './alert-record.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';

type ChangeableFields = Omit<AlertDefinition, 'channel'>;

/** Absent leaves a field as it is; none of them may be null. */
export type UpdateJobAlertInput = AlertReference & {
  [Field in keyof ChangeableFields]?: ChangeableFields[Field] | null | undefined;
};

/**
 * Changes an alert. One that is disabled gives up what it had still to send; one that is enabled again begins anew. A
 * change that changes nothing writes nothing.
 *
 * @returns the alert as it is now
 */
export async function updateJobAlert(
  deps: CommandDeps,
  by: Caller,
  { id, ...input }: UpdateJobAlertInput,
): Promise<CommandResult<StoredAlert>> {
  const result = await commandTransaction<CommandResult<StoredAlert>>(deps, async (tx) => {
    const found = await lockAlertOfLiveJob(tx, { id });
    if (!found.ok) return found;
    const { job, alert: before } = found.value;
    const now = deps.clock.now();
    const after: StoredAlert = { ...before, ...changesOf(before, input), updatedAt: now };
    const errors = checkDefinition(deps, after, nullIssues(input), before.target);
    if (errors.length > 0) return { ok: false, errors };
    if (changedAlertFields(before, after).length === 0) return { ok: true, value: before };

    await updateAlert(tx, after);
    if (before.enabled && !after.enabled) {
      await giveUpDeliveries(tx, after.id, 'The alert was disabled before this was sent.');
    }
    await recordAlertChange(tx, deps, by, { action: 'ALERT_UPDATED', job, before, after, now });
    return { ok: true, value: after };
  });
  if (result.ok) deps.wake('alerts');
  return result;
}

function changesOf(
  { channel, target }: StoredAlert,
  input: Omit<UpdateJobAlertInput, 'id'>,
): Partial<ChangeableFields> {
  const given = Object.entries(input).filter(([, value]) => value !== null && value !== undefined);
  const changes = Object.fromEntries(given) as Partial<ChangeableFields>;
  // As it was read, masks included: a client that sends back all it was shown means no change.
  if (changes.target === maskAlertTarget(channel, target)) delete changes.target;
  if (changes.events) changes.events = storedEvents(changes.events);
  return changes;
}

function nullIssues(input: Omit<UpdateJobAlertInput, 'id'>): FieldIssue[] {
  const message = 'May not be null; leave it out to keep it as it is.';
  return Object.entries(input)
    .filter(([, value]) => value === null)
    .map(([field]) => ({ path: [field], message }));
}
