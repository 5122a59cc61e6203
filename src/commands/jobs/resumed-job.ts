import { nextRunAfter } from '../../domain/schedule/job-slots.ts';
import type { StoredJob } from '../../store/jobs/jobs.ts';

/**
 * A job that takes up its schedule again. What it missed meanwhile is not replayed; where nothing is left to run, as
 * for a one-off whose instant has passed, it is complete.
 */
export function resumed(job: StoredJob, nextRunAt: Date | null): StoredJob {
  const ended = nextRunAt === null && (job.schedule !== null || job.runAt !== null);
  return {
    ...job,
    status: ended ? 'COMPLETED' : 'ACTIVE',
    nextRunAt,
    pausedAt: null,
    pausedUntil: null,
    pauseReason: null,
    pausedBy: null,
  };
}

/**
 * A paused job that is resumed at `now`, as its next version.
 *
 * @param behind its next run is the first slot after this, which may be past: what has come since is due, or missed
 * @throws Error where the stored schedule cannot be read
 */
export function takenUpAgain(job: StoredJob, now: Date, behind = now): StoredJob {
  return { ...resumed(job, nextRunAfter(job, behind)), version: job.version + 1, updatedAt: now };
}
