import type { PoolClient } from 'pg';
import { nextRunAfter } from '../../domain/schedule/job-slots.ts';
import { skippedSlots } from '../../store/jobs/skipped-slots.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';

/**
 * Locked jobs whose next run, where somebody left that slot out, has moved on to the first one that is to run. With none
 * left a job is COMPLETED. The caller writes the jobs.
 */
export async function pastSkippedRuns(tx: PoolClient, jobs: readonly StoredJob[]): Promise<StoredJob[]> {
  const skipped = await skippedSlots(
    tx,
    jobs.flatMap(({ id, nextRunAt }) => (nextRunAt === null ? [] : [{ id, from: nextRunAt }])),
  );
  return jobs.map((job) => pastSlots(job, skipped.get(job.id) ?? []));
}

/** The same for one job. */
export async function pastSkippedRunsOf(tx: PoolClient, job: StoredJob): Promise<StoredJob> {
  const [moved] = await pastSkippedRuns(tx, [job]);
  return moved ?? job;
}

/** The job itself where its next run is none of the slots. */
function pastSlots(job: StoredJob, skipped: readonly Date[]): StoredJob {
  const { nextRunAt } = job;
  if (nextRunAt === null || skipped[0]?.getTime() !== nextRunAt.getTime()) return job;
  const next = nextRunAfter(job, nextRunAt, skipped);
  return next === null ? { ...job, status: 'COMPLETED', nextRunAt: null } : { ...job, nextRunAt: next };
}
