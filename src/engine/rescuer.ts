import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { decideAfterLoss } from '../domain/execution.ts';
import { createLogger } from '../logging/logger.ts';
import { findLostExecutions, nextLeaseEndAt, type LostExecution } from '../store/leases.ts';
import { settle, type Settlement } from '../store/settling.ts';
import type { UpstreamSettled } from '../store/settling-upstream.ts';
import { logIds } from './log-ids.ts';
import { createLoop, type Loop } from '../loop.ts';

const logger = createLogger('Rescuer');

export interface RescuerOptions {
  pool: Pool;
  clock: Clock;
  /** Records ends that other jobs wait for, together with the runs that they set off, in one transaction. */
  settleUpstream: (settlements: readonly Settlement[]) => Promise<UpstreamSettled>;
  onRescued: () => void;
  onError: (error: unknown) => void;
}

const BATCH = 500;
/** With lease + this, an execution of a dead instance is available again. */
const MAX_INTERVAL_MS = 3_000;
const MESSAGE = 'The instance that made this call was lost; whether the target saw the call is not known.';

/**
 * Recovers what dead instances held. An ended lease is the only sign of death it goes by: a holder that was merely
 * frozen finds its claim gone and its late outcome unwritten.
 */
export function createRescuer(options: RescuerOptions): Loop {
  const { pool, clock, settleUpstream, onRescued, onError } = options;

  async function step(): Promise<number> {
    const now = clock.now();
    const lost = await findLostExecutions(pool, now, BATCH);
    if (lost.length > 0) await rescueBatch(lost, now);
    if (lost.length === BATCH) return 0;
    const endsAt = await nextLeaseEndAt(pool);
    const untilEndMs = endsAt === null ? MAX_INTERVAL_MS : endsAt.getTime() - clock.now().getTime() + 1;
    return Math.min(Math.max(untilEndMs, 100), MAX_INTERVAL_MS);
  }

  /** What another rescuer has recorded meanwhile, or a slow holder extended, is left out by the statements. */
  async function rescueBatch(lost: readonly LostExecution[], now: Date): Promise<void> {
    const settlements = lost.map((execution) => rescue(execution, now));
    const { written, deferred } = await settle(pool, settlements);
    tell(lost, written);
    if (deferred.size === 0) return;
    const awaited = settlements.filter(({ executionId }) => deferred.has(executionId));
    tell(lost, (await settleUpstream(awaited)).written);
  }

  function tell(lost: readonly LostExecution[], written: ReadonlySet<string>): void {
    for (const execution of lost.filter(({ id }) => written.has(id))) {
      logger.warn('Rescued an execution from a lost instance', {
        ...logIds({ executionId: execution.id, jobId: execution.jobId }),
        lostBy: execution.claimedBy,
        status: statusAfterLoss(execution),
      });
    }
    if (written.size > 0) onRescued();
  }

  return createLoop({ name: 'rescuer', step, onError });
}

function rescue(lost: LostExecution, now: Date): Settlement {
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
    responseStatus: null,
    responseHeaders: null,
    responseBody: null,
    responseTruncated: false,
    timings: null,
    request: null,
    instanceLost: true,
    log: { level: 'WARN', message: MESSAGE, metadata: { instanceId: lost.claimedBy } },
  };
}

/** The column ends at 24.8 days: after an outage longer than that the exact figure is of no use to anybody. */
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
