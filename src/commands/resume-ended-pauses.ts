import type { PoolClient } from 'pg';
import { nextRunAfter } from '../domain/job-slots.ts';
import { createLogger } from '../logging/logger.ts';
import { SCHEDULER_ACTOR } from '../store/audit-log.ts';
import { lockJobIfFree, type StoredJob, updateJob } from '../store/jobs.ts';
import { findEndedPauses, nextPauseEndAt } from '../store/pauses.ts';
import { inTransaction } from '../store/sql.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import { recordJobChange } from './job-record.ts';
import { resumeLocked } from './resume-job.ts';

const logger = createLogger('Planner');

const SCHEDULER: Caller = { actor: SCHEDULER_ACTOR, requestId: null, address: null };
const BATCH = 100;

/**
 * Resumes the jobs whose `pausedUntil` has come, each in a transaction of its own, but for those that somebody holds:
 * all planning would wait for them.
 *
 * @returns when the next pause ends, which may be past for one that was held; null where none does
 */
export async function resumeEndedPauses(deps: CommandDeps): Promise<Date | null> {
  const ended = await findEndedPauses(deps.pool, deps.clock.now(), BATCH);
  for (const id of ended) {
    const isChanged = await inTransaction(deps.pool, (tx) => resumeIfEnded(tx, deps, id));
    if (isChanged) deps.wake('jobs', 'executions', 'events');
  }
  return nextPauseEndAt(deps.pool);
}

async function resumeIfEnded(tx: PoolClient, deps: CommandDeps, id: string): Promise<boolean> {
  const job = await lockJobIfFree(tx, id);
  // Another instance, or its owner, may have resumed it meanwhile, or paused it for longer.
  if (!job?.pausedUntil || job.pausedUntil > deps.clock.now()) return false;
  await resumeOrSetAside(tx, deps, job);
  return true;
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
