import { cancelledWait } from '../../domain/execution/callback-verdict.ts';
import type { CallbackWait } from '../../store/executions/callbacks.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import type { Settlement } from '../../store/executions/settling.ts';
import type { Settler } from './settler.ts';

/**
 * Lets an execution wait for its callback after the target has answered. From here on no instance holds it. The
 * callback ends it on the instance where it arrives. Without a callback, any instance ends the wait.
 *
 * @param answered the record of the attempt if the answer were its end
 * @returns RUNNING when it waits; CANCELLED when a user cancelled it during the call; null when the callback came
 *   before the answer or the claim was lost
 */
export async function awaitCallback(
  execution: ClaimedExecution,
  answered: Settlement,
  settler: Settler,
): Promise<'RUNNING' | 'CANCELLED' | null> {
  switch (await settler.awaitCallback(waitOf(execution, answered))) {
    case 'waiting':
      return 'RUNNING';
    case 'lost':
      return null;
    case 'cancelRequested': {
      const { log, ...cancelled } = cancelledWait();
      const settlement = { ...answered, ...cancelled, log: { ...answered.log, ...log } };
      return (await settler.settle(settlement)) ? 'CANCELLED' : null;
    }
  }
}

function waitOf({ completionTimeoutMs }: ClaimedExecution, answered: Settlement): CallbackWait {
  const deadlineAt = new Date(answered.attemptFinishedAt.getTime() + completionTimeoutMs);
  const message = `${answered.log.message} Its callback is awaited until ${deadlineAt.toISOString()}.`;
  return { deadlineAt, ...answered, log: { ...answered.log, message } };
}
