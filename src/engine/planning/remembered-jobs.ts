import type { UpcomingJob } from '../../store/executions/planning.ts';
import { earliestRunOf } from './prefetched-instant.ts';

/** A job is not read again when its next slot comes this soon after the last. The older a read is, the likelier a change. */
const REMEMBERED_MS = 2_000;

/** Jobs whose slots were just started, and whose next ones come soon. */
export class RememberedJobs {
  #jobs: UpcomingJob[] = [];

  /** The earliest next run of them. */
  get nextRunAt(): Date | null {
    return earliestRunOf(this.#jobs);
  }

  forget(): void {
    this.#jobs = [];
  }

  /** Takes out those that are due by then. */
  take(until: Date): UpcomingJob[] {
    const taken = this.#jobs.filter(({ nextRunAt }) => nextRunAt <= until);
    this.#jobs = this.#jobs.filter(({ nextRunAt }) => nextRunAt > until);
    return taken.sort(bySlot);
  }

  /** Answers whether the job is remembered. Slots in the past are not: the planner decides what a missed slot becomes. */
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
