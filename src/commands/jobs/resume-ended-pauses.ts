import type { PoolClient } from 'pg';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { createLogger } from '../../logging/logger.ts';
import { SCHEDULER_ACTOR } from '../../store/events/audit-log.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import { lockEndedPauses, nextPauseEndAt } from '../../store/jobs/pauses.ts';
import { inTransaction } from '../../store/statements/sql.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { resumeLocked } from './resume-job.ts';
import { takenUpAgain } from './resumed-job.ts';

const logger = createLogger('Planner');

const SCHEDULER: Caller = { actor: SCHEDULER_ACTOR, requestId: null, address: null };
/** Jobs in one transaction: enough to share its cost, few enough that a slot which comes meanwhile hardly waits. */
const BATCH = 200;
/** Computing after which a batch takes no further job: the rarest schedules take some 20 ms each. */
const BATCH_COMPUTING_MS = 200;

/**
 * Resumes a batch of the jobs whose `pausedUntil` has come, but for those that somebody holds: all planning would wait for
 * them. Each goes on with the first slot behind the end of its pause, however late that is seen: what has come since is
 * planned as after any outage.
 *
 * @returns when the next pause ends: past for one that was held, and where there are more than a batch; null where none
 * does
 */
export async function resumeEndedPauses(
  deps: CommandDeps,
  monotonicMs = () => performance.now(),
): Promise<Date | null> {
  const resumed = await inTransaction(deps.pool, (tx) => resumeBatch(tx, deps, monotonicMs));
  if (resumed > 0) deps.wake('jobs', 'executions', 'events');
  return nextPauseEndAt(deps.pool);
}

async function resumeBatch(tx: PoolClient, deps: CommandDeps, monotonicMs: () => number): Promise<number> {
  const now = deps.clock.now();
  const ended = await lockEndedPauses(tx, now, BATCH);
  if (ended.length === 0) return 0;
  const enoughAtMs = monotonicMs() + BATCH_COMPUTING_MS;
  const changes: { before: StoredJob; after: StoredJob }[] = [];
  for (const before of ended) {
    changes.push({ before, after: resumedOrQuarantined(before, now) });
    if (monotonicMs() > enoughAtMs) break;
  }
  await resumeLocked(tx, deps, SCHEDULER, changes, now);
  return changes.length;
}

/** One job that cannot be resumed, say because its row was edited by hand, must not stop all planning for ever. */
function resumedOrQuarantined(job: StoredJob, now: Date): StoredJob {
  try {
    return takenUpAgain(job, now, job.pausedUntil ?? now);
  } catch (error) {
    logger.error('A job cannot be resumed and stays paused; change its schedule', {
      jobId: encodePublicId('Job', job.id),
      error,
    });
    return { ...job, pausedUntil: null, version: job.version + 1, updatedAt: now };
  }
}
