import type { Pool } from 'pg';
import { cancelledWait, decideAfterSilence } from '../../domain/execution/callback-verdict.ts';
import type { Clock } from '../../domain/values/clock.ts';
import { createLogger } from '../../logging/logger.ts';
import { settlementOfWait } from '../../store/executions/callback-settlement.ts';
import { findSilent, nextWaitEndAt, type SilentExecution } from '../../store/executions/callbacks.ts';
import { settlementRow, type Settlement } from '../../store/executions/settling.ts';
import { settleAny } from '../../store/executions/settling-upstream.ts';
import { logIds } from '../running/log-ids.ts';
import { togetherOrOneByOne } from './one-by-one.ts';
import { createQuarantine } from './quarantine.ts';
import { createLoop, type Loop } from '../../async/loop.ts';

const logger = createLogger('CallbackWatch');

export interface CallbackWatchOptions {
  pool: Pool;
  clock: Clock;
  /** Creates the id of an execution without a slot. */
  newId: (now: Date) => string;
  /** A number in [0, 1) for the jitter of retries. */
  random: () => number;
  /** The longest rest while no execution waits for a callback. */
  longestRestMs: number;
  /** Called after waits ended. There may be executions to claim or admit, and the log has grown. */
  onEnded: (setOff: { isReplacing: boolean }) => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

const BATCH = 500;
/** The longest rest while an execution waits. A cancellation from another instance is seen within this time. */
const MAX_INTERVAL_MS = 1_000;
const MIN_INTERVAL_MS = 20;

/**
 * Ends waits for callbacks that do not come. After the deadline the retry policy decides, as after a call that takes
 * too long. A cancellation ends the wait at once. Waits belong to no instance, so any instance ends them.
 */
export function createCallbackWatch(options: CallbackWatchOptions): Loop {
  const { pool, clock, newId, random, longestRestMs, onEnded, onError } = options;
  const quarantine = createQuarantine(options.monotonicMs ?? (() => performance.now()));

  async function step(): Promise<number> {
    const earliest = await nextWaitEndAt(pool);
    if (earliest === null) return longestRestMs;
    const now = clock.now();
    if (earliest > now) return restUntil(earliest, now);
    const silent = await findSilent(pool, now, { limit: BATCH, except: quarantine.ids() });
    await togetherOrOneByOne(silent, (some) => endWaits(some, now), leaveAlone);
    if (silent.length === BATCH) return 0;
    // A wait that is over but not found is locked or in quarantine.
    return silent.length === 0 ? MAX_INTERVAL_MS : MIN_INTERVAL_MS;
  }

  function restUntil(endsAt: Date, now: Date): number {
    return Math.min(Math.max(endsAt.getTime() - now.getTime(), MIN_INTERVAL_MS), MAX_INTERVAL_MS);
  }

  function leaveAlone({ id, jobId }: SilentExecution, error: unknown): void {
    logger.error('A wait for a callback cannot be ended; it is tried again later', {
      ...logIds({ executionId: id, jobId }),
      ...quarantine.add(id),
      error,
    });
  }

  /** The statement skips waits that a callback or another instance has ended in between. */
  async function endWaits(silent: readonly SilentExecution[], now: Date): Promise<void> {
    if (silent.length === 0) return;
    const settlements = silent.map((execution) => end(execution, now));
    const { written, isReplacing } = await settleAny(pool, settlements.map(settlementRow), newId);
    for (const { executionId, status } of settlements.filter((one) => written.has(one.executionId))) {
      logger.info('Waited for a callback no longer', { ...logIds({ executionId }), status });
    }
    for (const { id } of silent) quarantine.forget(id);
    if (written.size > 0) onEnded({ isReplacing });
  }

  function end(execution: SilentExecution, now: Date): Settlement {
    const resting = execution.cancelRequested
      ? cancelledWait()
      : decideAfterSilence(execution, execution.callbackDeadlineAt, now, random());
    return settlementOfWait(execution, resting, now);
  }

  return createLoop({ name: 'callback watch', step, onError });
}
