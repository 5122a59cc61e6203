import type { UpcomingJob } from '../../store/executions/planning.ts';
import { earliestRunOf } from './prefetched-instant.ts';

/** When a job's next slot comes this soon, the job is not read again. After a longer time a change is more likely. */
const REMEMBERED_MS = 2_000;

/** Jobs whose slots have just started and whose next slots come soon. */
export class RememberedJobs {
  #jobs: UpcomingJob[] = [];

  /** The earliest next run of these jobs. */
  get nextRunAt(): Date | null {
    return earliestRunOf(this.#jobs);
  }

  forget(): void {
    this.#jobs = [];
  }

  /** Removes and returns the jobs that are due by then. */
  take(until: Date): UpcomingJob[] {
    const taken = this.#jobs.filter(({ nextRunAt }) => nextRunAt <= until);
    this.#jobs = this.#jobs.filter(({ nextRunAt }) => nextRunAt > until);
    return taken.sort(bySlot);
  }

  /**
   * Returns whether the job is remembered. A job whose next slot is in the past is not: the planner decides what a
   * missed slot becomes.
   */
  add(job: UpcomingJob | undefined, nextRunAt: Date, now: Date): boolean {
    const restMs = nextRunAt.getTime() - now.getTime();
    if (!job || restMs <= 0 || restMs > REMEMBERED_MS) return false;
    job.nextRunAt = nextRunAt;
    this.#jobs.push(job);
    return true;
  }
}

/** Earlier slots first; at one instant, higher priorities first. */
function bySlot(one: UpcomingJob, other: UpcomingJob): number {
  return one.nextRunAt.getTime() - other.nextRunAt.getTime() || other.priority - one.priority;
}
