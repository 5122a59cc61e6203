import type { AlertEvent } from '../../domain/alert/alert.ts';
import { writeTestNotice } from '../../domain/alert/alert-notice.ts';
import type { ClaimedDelivery } from '../../store/alerts/alert-deliveries.ts';
import { countTests, insertDeliveries, type NewDelivery } from '../../store/alerts/alert-reports.ts';
import type { StoredAlert } from '../../store/alerts/alerts.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import { type AlertReference, lockAlertOfLiveJob } from './alert-checks.ts';
import type { CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';

/** Tests of one alert in a minute: enough for somebody at a form, too few to be a way of sending mail. */
export const MAX_TESTS_PER_MINUTE = 10;

/**
 * Sends a message by an alert now, whether it is enabled or not, and waits for its outcome: one try, no retries.
 *
 * @returns id (a UUID) of the delivery, whose status says whether it arrived; a ConflictError after too many tests
 */
export async function testJobAlert(
  deps: CommandDeps,
  reference: AlertReference,
): Promise<CommandResult<{ deliveryId: string }>> {
  const prepared = await commandTransaction<CommandResult<ClaimedDelivery>>(deps, async (tx) => {
    const found = await lockAlertOfLiveJob(tx, reference);
    if (!found.ok) return found;
    const { job, alert } = found.value;
    const now = deps.clock.now();
    const tests = await countTests(tx, alert.id, new Date(now.getTime() - 60_000));
    if (tests >= MAX_TESTS_PER_MINUTE) {
      const message = `The alert was tested ${tests} times within a minute; ${MAX_TESTS_PER_MINUTE} are allowed.`;
      return failWith({ kind: 'ConflictError', message, path: ['id'] });
    }
    const delivery = newTest(job, alert, deps, now);
    await insertDeliveries(tx, [delivery]);
    const { id, attempts, isTest, notice } = delivery;
    const { channel, target } = alert;
    return {
      ok: true,
      value: { id, alertId: alert.id, channel, target, host: '', attempts, isTest, notice },
    };
  });
  if (!prepared.ok) return prepared;
  await deps.alerts.send(prepared.value);
  return { ok: true, value: { deliveryId: prepared.value.id } };
}

function newTest(job: StoredJob, alert: StoredAlert, deps: CommandDeps, now: Date): NewDelivery {
  const id = deps.newId(now);
  const event: AlertEvent = alert.events[0] ?? 'FAILED';
  const subject = { alertId: alert.id, jobId: job.id, jobKey: job.key, jobName: job.name };
  return {
    id,
    alertId: alert.id,
    executionId: null,
    event,
    createdAt: now,
    dueAt: now,
    occurrences: 1,
    isTest: true,
    notice: writeTestNotice(id, subject, event, now),
    // Should this process die, another one sends it.
    leaseExpiresAt: new Date(now.getTime() + deps.alerts.leaseMs),
    attempts: 1,
  };
}
