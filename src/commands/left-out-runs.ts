import type { PoolClient } from 'pg';
import { nextRunAfter } from '../domain/job-slots.ts';
import { leftOutSlots } from '../store/left-out-slots.ts';
import type { StoredJob } from '../store/jobs.ts';

/**
 * Locked jobs whose next run, where somebody left that slot out, has moved on to the first one that is to run. With none
 * left a job is COMPLETED. The caller writes the jobs.
 */
export async function pastLeftOutRuns(tx: PoolClient, jobs: readonly StoredJob[]): Promise<StoredJob[]> {
  const leftOut = await leftOutSlots(
    tx,
    jobs.flatMap(({ id, nextRunAt }) => (nextRunAt === null ? [] : [{ id, from: nextRunAt }])),
  );
  return jobs.map((job) => pastSlots(job, leftOut.get(job.id) ?? []));
}

/** The same for one job. */
export async function pastLeftOutRunsOf(tx: PoolClient, job: StoredJob): Promise<StoredJob> {
  const [moved] = await pastLeftOutRuns(tx, [job]);
  return moved ?? job;
}

/** The job itself where its next run is none of the slots. */
function pastSlots(job: StoredJob, leftOut: readonly Date[]): StoredJob {
  const { nextRunAt } = job;
  if (nextRunAt === null || leftOut[0]?.getTime() !== nextRunAt.getTime()) return job;
  const next = nextRunAfter(job, nextRunAt, leftOut);
  return next === null ? { ...job, status: 'COMPLETED', nextRunAt: null } : { ...job, nextRunAt: next };
}
