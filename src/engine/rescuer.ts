import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { decideAfterLoss } from '../domain/execution.ts';
import { createLogger } from '../logging/logger.ts';
import { lockLostExecutions, nextLeaseEndAt, type LostExecution } from '../store/leases.ts';
import { settle, type Settlement } from '../store/settling.ts';
import { inTransaction } from '../store/sql.ts';
import { logIds } from './log-ids.ts';
import { createLoop, type Loop } from './loop.ts';

const logger = createLogger('Rescuer');

export interface RescuerOptions {
  pool: Pool;
  clock: Clock;
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
export function createRescuer({ pool, clock, onRescued, onError }: RescuerOptions): Loop {
  async function step(): Promise<number> {
    const rescued = await rescueBatch();
    if (rescued > 0) onRescued();
    if (rescued === BATCH) return 0;
    const endsAt = await nextLeaseEndAt(pool);
    const untilEndMs = endsAt === null ? MAX_INTERVAL_MS : endsAt.getTime() - clock.now().getTime() + 1;
    return Math.min(Math.max(untilEndMs, 100), MAX_INTERVAL_MS);
  }

  function rescueBatch(): Promise<number> {
    return inTransaction(pool, async (tx) => {
      const now = clock.now();
      const lost = await lockLostExecutions(tx, now, BATCH);
      await settle(
        tx,
        lost.map((execution) => rescue(execution, now)),
      );
      return lost.length;
    });
  }

  return createLoop({ name: 'rescuer', step, onError });
}

function rescue(lost: LostExecution, now: Date): Settlement {
  const status = statusAfterLoss(lost);
  logger.warn('Rescued an execution from a lost instance', {
    ...logIds({ executionId: lost.id, jobId: lost.jobId }),
    lostBy: lost.claimedBy,
    status,
  });
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
