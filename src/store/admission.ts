import {
  admit,
  isLimited,
  NO_LOAD,
  overlapMessage,
  REPLACED_MESSAGE,
  type ConcurrencyRule,
} from '../domain/concurrency.ts';
import { readLoads } from './concurrency.ts';
import type { NewEvent } from './event-log.ts';
import type { Queryable } from './sql.ts';
import { requestCancellation, withdrawExecutions } from './withdrawing.ts';

/** How a new execution enters the table. */
export interface Admitted {
  status: 'PENDING' | 'BLOCKED' | 'SKIPPED';
  /** Why it was skipped; null otherwise. */
  errorMessage: string | null;
  /** Of the executions whose place it takes; to be appended with its own event. */
  events: NewEvent[];
  /** Calls under way were asked to stop for it: lease keepers are to be woken after the commit. */
  isReplacing: boolean;
}

const NONE_REPLACED = { events: [], isReplacing: false };

/**
 * Admits one execution that no slot names (run by hand, by a dependency or as a redrive) beside the job's unfinished
 * ones. The transaction must hold the job's row: that is what keeps two admissions from counting the same place.
 */
export async function admitExecution(
  tx: Queryable,
  job: ConcurrencyRule & { id: string },
  now: Date,
): Promise<Admitted> {
  if (!isLimited(job)) return { status: 'PENDING', errorMessage: null, ...NONE_REPLACED };
  const load = (await readLoads(tx, [job.id])).get(job.id) ?? NO_LOAD;
  switch (admit(job, load)) {
    case 'run':
      return { status: 'PENDING', errorMessage: null, ...NONE_REPLACED };
    case 'block':
      return { status: 'BLOCKED', errorMessage: null, ...NONE_REPLACED };
    case 'skip':
      return { status: 'SKIPPED', errorMessage: overlapMessage(job), ...NONE_REPLACED };
    case 'replace': {
      const reason = REPLACED_MESSAGE;
      const events = await withdrawExecutions(tx, [job.id], { scope: 'waiting', reason }, now);
      const isReplacing = await requestCancellation(tx, [job.id], { now, reason });
      return { status: isReplacing ? 'BLOCKED' : 'PENDING', errorMessage: null, events, isReplacing };
    }
  }
}
