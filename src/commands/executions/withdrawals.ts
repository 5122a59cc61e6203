import { namesSlot } from '../../domain/schedule/job-slots.ts';
import type { NewEvent } from '../../store/events/append-events.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import { readWaitingSlots, withdrawExecutions, type Withdrawal } from '../../store/executions/withdrawing.ts';
import { haveSlotsChanged } from '../jobs/job-change.ts';

/** What changes of a job take back of its executions. */
export const PAUSED: Withdrawal = { scope: 'planned', reason: 'The job was paused.' };
export const DELETED: Withdrawal = { scope: 'waiting', reason: 'The job was deleted.' };
const RESCHEDULED = 'The schedule was changed.';

/** A job before and after a change. */
export interface JobChange {
  before: StoredJob;
  after: StoredJob;
}

/**
 * Cancels what waits by a definition that no longer holds. The transaction must hold the jobs' rows.
 *
 * @returns the events to append
 */
export async function withdrawOutdated(
  tx: Queryable,
  changes: readonly JobChange[],
  now: Date,
): Promise<NewEvent[]> {
  const paused = changes.filter(isPaused).map(({ after }) => after.id);
  const rescheduled = changes.filter(
    (change) => !isPaused(change) && haveSlotsChanged(change.before, change.after),
  );
  return [
    ...(await withdrawExecutions(tx, paused, PAUSED, now)),
    ...(await withdrawRescheduled(
      tx,
      rescheduled.map(({ after }) => after),
      now,
    )),
  ];
}

function isPaused({ before, after }: JobChange): boolean {
  return after.status === 'PAUSED' && before.status !== 'PAUSED';
}

/**
 * Cancels what still waits out its jitter for a slot that the job has no more. A slot that it still has keeps its
 * execution, whose id another one for that slot could not have; what is due and only waits for a place runs.
 */
async function withdrawRescheduled(
  tx: Queryable,
  jobs: readonly StoredJob[],
  now: Date,
): Promise<NewEvent[]> {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const waiting = await readWaitingSlots(tx, [...byId.keys()], now);
  const outdated = waiting.filter(({ jobId, scheduledAt }) => {
    const job = byId.get(jobId);
    return job !== undefined && !namesSlot(job, scheduledAt);
  });
  const jobIds = [...new Set(outdated.map(({ jobId }) => jobId))];
  const executionIds = outdated.map(({ id }) => id);
  return withdrawExecutions(tx, jobIds, { scope: 'named', reason: RESCHEDULED, executionIds }, now);
}
