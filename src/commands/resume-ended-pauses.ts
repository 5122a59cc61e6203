import type { PoolClient } from 'pg';
import { nextRunAfter } from '../domain/job-slots.ts';
import { createLogger } from '../logging/logger.ts';
import { lockJob, type StoredJob, updateJob } from '../store/jobs.ts';
import { findEndedPauses, nextPauseEndAt } from '../store/pauses.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import { commandTransaction } from './command-transaction.ts';
import { recordJobChange } from './job-record.ts';
import { resumeLocked } from './resume-job.ts';

const logger = createLogger('Planner');

/** How the audit log names what the scheduler does by itself. */
const SCHEDULER: Caller = { actor: 'scheduler', requestId: 'pausedUntil', address: null };
const BATCH = 100;

/**
 * Resumes the jobs whose `pausedUntil` has come, each in a transaction of its own.
 *
 * @returns when the next pause ends; null where none does
 */
export async function resumeEndedPauses(deps: CommandDeps): Promise<Date | null> {
  const ended = await findEndedPauses(deps.pool, deps.clock.now(), BATCH);
  for (const id of ended) {
    await commandTransaction(deps, async (tx) => {
      const job = await lockJob(tx, id);
      // Another instance, or its owner, may have resumed it meanwhile, or paused it for longer.
      if (job?.pausedUntil && job.pausedUntil <= deps.clock.now()) await resumeOrSetAside(tx, deps, job);
    });
  }
  return nextPauseEndAt(deps.pool);
}

/** One job that cannot be resumed, say because its row was edited by hand, must not stop all planning for ever. */
async function resumeOrSetAside(tx: PoolClient, deps: CommandDeps, job: StoredJob): Promise<void> {
  try {
    nextRunAfter(job, deps.clock.now());
  } catch (error) {
    logger.error('A job cannot be resumed and stays paused; change its schedule', { jobId: job.id, error });
    await setAside(tx, deps, job);
    return;
  }
  await resumeLocked(tx, deps, SCHEDULER, [job], deps.clock.now());
}

async function setAside(tx: PoolClient, deps: CommandDeps, before: StoredJob): Promise<void> {
  const now = deps.clock.now();
  const after: StoredJob = { ...before, pausedUntil: null, version: before.version + 1, updatedAt: now };
  await updateJob(tx, after);
  await recordJobChange(tx, deps, SCHEDULER, {
    action: 'UPDATED',
    before,
    after,
    now,
    kinds: ['JOB_UPDATED'],
  });
}
