import type { PoolClient } from 'pg';
import { nextRunAfter } from '../domain/job-slots.ts';
import { leftOutSlots } from '../store/left-out-slots.ts';
import type { StoredJob } from '../store/jobs.ts';

/**
 * A locked job whose next run, where somebody left that slot out, has moved on to the first one that is to run. With
 * none left the job is COMPLETED. The caller writes the job.
 */
export async function pastLeftOutRuns(tx: PoolClient, job: StoredJob): Promise<StoredJob> {
  const { nextRunAt } = job;
  if (nextRunAt === null) return job;
  const leftOut = await leftOutSlots(tx, job.id, nextRunAt);
  if (leftOut[0]?.getTime() !== nextRunAt.getTime()) return job;
  const next = nextRunAfter(job, nextRunAt, leftOut);
  return next === null ? { ...job, status: 'COMPLETED', nextRunAt: null } : { ...job, nextRunAt: next };
}
