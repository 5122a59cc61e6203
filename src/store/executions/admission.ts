import {
  type Admission,
  admit,
  isLimited,
  leavesPlace,
  NO_LOAD,
  overlapMessage,
  type ConcurrencyRule,
} from '../../domain/job/concurrency.ts';
import { readLoads } from './concurrency.ts';
import type { NewEvent } from '../events/append-events.ts';
import type { Queryable } from '../statements/sql.ts';
import { replaceUnfinished } from './withdrawing.ts';

/** How a new execution enters the table. */
export interface Admitted {
  status: 'PENDING' | 'BLOCKED' | 'SKIPPED';
  /** Why it was skipped; null otherwise. */
  errorMessage: string | null;
}

/** The result for executions that new ones replace. */
export interface Replaced {
  /** Events to append before those of the new executions. */
  events: NewEvent[];
  /** Calls in flight must stop. The caller wakes the lease keepers after the commit. */
  isReplacing: boolean;
}

/** A job that gets one more execution. */
type AdmittingJob = ConcurrencyRule & { id: string };

/**
 * Admits one execution of each job beside the job's unfinished ones. The execution has no slot: it is a manual run, a
 * run by a dependency, or a redrive. The transaction must lock the jobs' rows, so two admissions cannot count the
 * same place.
 *
 * @returns the status of each new execution, in the order of the jobs
 */
export async function admitExecutions(
  tx: Queryable,
  jobs: readonly AdmittingJob[],
  now: Date,
): Promise<Replaced & { admitted: Admitted[] }> {
  const limited = jobs.filter(isLimited).map(({ id }) => id);
  const loads = await readLoads(tx, limited);
  const admissions = jobs.map((job): Admission =>
    isLimited(job) ? admit(job, loads.get(job.id) ?? NO_LOAD) : 'run',
  );
  const replacing = jobs.filter((_, index) => admissions[index] === 'replace').map(({ id }) => id);
  const { events, stopping } = await replaceUnfinished(tx, replacing, now);
  const hasPlace = (job: AdmittingJob) =>
    !stopping.has(job.id) && leavesPlace(job, loads.get(job.id) ?? NO_LOAD);
  return {
    admitted: jobs.map((job, index) => entryOf(job, admissions[index] ?? 'run', hasPlace(job))),
    events,
    isReplacing: stopping.size > 0,
  };
}

/** The same for one job. */
export async function admitExecution(
  tx: Queryable,
  job: AdmittingJob,
  now: Date,
): Promise<Admitted & Replaced> {
  const { admitted, ...replaced } = await admitExecutions(tx, [job], now);
  const [entry] = admitted;
  if (!entry) throw new Error('One job was to be admitted, and none is answered for');
  return { ...entry, ...replaced };
}

/** @param hasPlace whether an execution that replaces others can run without waiting for an end */
function entryOf(rule: ConcurrencyRule, admission: Admission, hasPlace: boolean): Admitted {
  switch (admission) {
    case 'run':
      return { status: 'PENDING', errorMessage: null };
    case 'block':
      return { status: 'BLOCKED', errorMessage: null };
    case 'skip':
      return { status: 'SKIPPED', errorMessage: overlapMessage(rule) };
    case 'replace':
      return { status: hasPlace ? 'PENDING' : 'BLOCKED', errorMessage: null };
  }
}
