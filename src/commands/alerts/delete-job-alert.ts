import { deleteAlert } from '../../store/alerts/alerts.ts';
import { type AlertReference, lockAlertOfLiveJob } from './alert-checks.ts';
import { recordAlertChange } from './alert-record.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import type { CommandResult } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';

/**
 * Deletes an alert with all its deliveries; what it had still to send is not sent.
 *
 * @returns its id (a UUID)
 */
export async function deleteJobAlert(
  deps: CommandDeps,
  by: Caller,
  reference: AlertReference,
): Promise<CommandResult<{ alertId: string }>> {
  return commandTransaction(deps, async (tx) => {
    const found = await lockAlertOfLiveJob(tx, reference);
    if (!found.ok) return found;
    const { job, alert } = found.value;
    await deleteAlert(tx, alert.id);
    const now = deps.clock.now();
    await recordAlertChange(tx, deps, by, { action: 'ALERT_DELETED', job, before: alert, after: null, now });
    return { ok: true, value: { alertId: alert.id } };
  });
}
