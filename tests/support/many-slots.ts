import { createJob, type TestInstance } from './instance.ts';
import { plus, START } from './manual-clock.ts';

/** The instant on which many slots fall. */
export const SLOT = plus(START, 10_000);
/** As many as are prepared. */
export const MANY = 30;

/** Every ten seconds. */
export const SCHEDULE = '*/10 * * * * *';

type Job = Awaited<ReturnType<typeof createJob>>;

/** So many jobs whose first slot is {@link SLOT}. */
export async function createJobsOfSlot(
  instance: TestInstance,
  jobs: number,
  input: Parameters<typeof createJob>[1],
): Promise<Job[]> {
  return Promise.all(
    Array.from({ length: jobs }, () => createJob(instance, { schedule: SCHEDULE, ...input })),
  );
}
