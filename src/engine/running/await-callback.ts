import { cancelledWait } from '../../domain/execution/callback-verdict.ts';
import type { CallbackWait } from '../../store/executions/callbacks.ts';
import type { ClaimedExecution } from '../../store/executions/claimed-rows.ts';
import type { Settlement } from '../../store/executions/settling.ts';
import type { Settler } from './settler.ts';

/**
 * Leaves an execution whose target has answered waiting for its callback. From here on nobody holds it: the callback
 * ends it on whichever instance it arrives, and any instance ends the wait where none comes.
 *
 * @param answered how the attempt would be recorded if the answer were its end
 * @returns RUNNING where it waits; CANCELLED where that was asked for during the call; null where the callback was
 *   quicker than the answer, or the claim was lost otherwise
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
