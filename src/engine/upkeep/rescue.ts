import type { Pool } from 'pg';
import { decideAfterLoss } from '../../domain/execution/execution.ts';
import { createLogger } from '../../logging/logger.ts';
import type { LostExecution } from '../../store/executions/leases.ts';
import {
  NO_ANSWER,
  settle,
  settlementRow,
  type Settlement,
  type SettlementRow,
} from '../../store/executions/settling.ts';
import type { UpstreamSettled } from '../../store/executions/settling-upstream.ts';
import { inTransaction } from '../../store/statements/sql.ts';
import { markRescuedInstances } from '../../store/upkeep/instances.ts';
import { logIds } from '../running/log-ids.ts';

const logger = createLogger('Rescuer');

export interface RescueDeps {
  pool: Pool;
  instanceId: string;
  /** Records the ends that other jobs wait for, together with the runs that these ends trigger, in one transaction. */
  settleUpstream: (settlements: readonly SettlementRow[]) => Promise<UpstreamSettled>;
  /** Called after executions were rescued. They may be claimed, and the log has grown. */
  onRescued: (setOff: { isReplacing: boolean }) => void;
}

const MESSAGE = 'The instance that made this call was lost; whether the target saw the call is not known.';

/**
 * Records that attempts ended with the death of their instance, and that the instance is not alive. The statements
 * skip executions that another rescuer has recorded or a slow holder has extended in between.
 */
export async function rescue(deps: RescueDeps, lost: readonly LostExecution[], now: Date): Promise<void> {
  const settlements = lost.map((execution) => settlementRow(settlementOf(execution, now)));
  const { written, deferred } = await settle(deps.pool, settlements);
  tell(deps, lost, { written, isReplacing: false });
  const awaited = settlements.filter(({ executionId }) => deferred.has(executionId));
  const upstream = awaited.length > 0 ? await deps.settleUpstream(awaited) : null;
  if (upstream) tell(deps, lost, upstream);
  const isRescued = ({ id }: LostExecution) => written.has(id) || upstream?.written.has(id);
  await markHolders(deps, lost.filter(isRescued), now);
}

/** An instance that lets leases end counts as not alive until its next heartbeat. */
async function markHolders(
  { pool, instanceId, onRescued }: RescueDeps,
  rescued: readonly LostExecution[],
  now: Date,
): Promise<void> {
  const holders = new Set(rescued.map(({ claimedBy }) => claimedBy));
  holders.delete(instanceId);
  if (holders.size === 0) return;
  const marked = await inTransaction(pool, (tx) => markRescuedInstances(tx, now, [...holders]));
  if (marked.length > 0) onRescued({ isReplacing: false });
}

function tell(
  { onRescued }: RescueDeps,
  lost: readonly LostExecution[],
  { written, isReplacing }: Omit<UpstreamSettled, 'planned'>,
): void {
  for (const execution of lost.filter(({ id }) => written.has(id))) {
    logger.warn('Rescued an execution from a lost instance', {
      ...logIds({ executionId: execution.id, jobId: execution.jobId }),
      lostBy: execution.claimedBy,
      status: statusAfterLoss(execution),
    });
  }
  if (written.size > 0) onRescued({ isReplacing });
}

function settlementOf(lost: LostExecution, now: Date): Settlement {
  const status = statusAfterLoss(lost);
  return {
    executionId: lost.id,
    claimSeq: lost.claimSeq,
    status,
    availableAt: status === 'PENDING' ? now : null,
    attemptFinishedAt: now,
    attemptDurationMs: storableMs(now.getTime() - lost.attemptStartedAt.getTime()),
    failureReason: 'INSTANCE_LOST',
    errorMessage: MESSAGE,
    ...NO_ANSWER,
    instanceLost: true,
    log: { level: 'WARN', message: MESSAGE, metadata: { instanceId: lost.claimedBy } },
  };
}

/** The column's maximum is 24.8 days. After a longer outage nobody needs the exact number. */
function storableMs(ms: number): number {
  return Math.min(Math.max(ms, 0), 2 ** 31 - 1);
}

function statusAfterLoss({
  cancelRequested,
  jobType,
  rescueCount,
}: LostExecution): 'CANCELLED' | 'FAILED' | 'PENDING' {
  if (cancelRequested) return 'CANCELLED';
  return decideAfterLoss(jobType, rescueCount) === 'giveUp' ? 'FAILED' : 'PENDING';
}
