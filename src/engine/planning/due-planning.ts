import type { Pool } from 'pg';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { createLogger } from '../../logging/logger.ts';
import { isAway } from '../../store/statements/failures.ts';
import type { DueRange } from '../../store/executions/planning.ts';
import { inTransaction } from '../../store/statements/sql.ts';
import type { Quarantine } from '../upkeep/quarantine.ts';
import { NOTHING, planBatch, type PlanBatchOptions, type PlannedBatch } from './plan-batch.ts';

const logger = createLogger('Planner');

export interface DuePlanningOptions extends Omit<PlanBatchOptions, 'onTaken'> {
  pool: Pool;
  /** Holds the jobs that cannot be planned now. */
  quarantine: Pick<Quarantine, 'add' | 'ids'>;
  /** Called after each batch that planned something. */
  onPlanned: (planned: Pick<PlannedBatch, 'isAnythingBlocked' | 'isReplacing'>) => void;
}

/** Plans batches of due jobs. When one job makes a batch fail, it plans each job alone. */
export interface DuePlanning {
  /** Plans jobs that became due recently. */
  planFresh: (now: Date) => Promise<PlannedBatch>;
  /** Plans jobs that have been due for longer. */
  planBacklog: (now: Date) => Promise<PlannedBatch>;
}

/** A job that has been due for longer waits for jobs that have just become due. */
const BACKLOG_AFTER_MS = 60_000;
const EVER = new Date(0);

/** Jobs that were due up to this instant are backlog. */
export function backlogUntil(now: Date): Date {
  return new Date(now.getTime() - BACKLOG_AFTER_MS);
}

export function createDuePlanning(options: DuePlanningOptions): DuePlanning {
  const { pool, quarantine, onPlanned } = options;

  async function planTogether(
    range: DueRange,
    now: Date,
    onTaken: (jobIds: string[]) => void = () => undefined,
  ): Promise<PlannedBatch> {
    const batch = await inTransaction(pool, (tx) => planBatch(tx, range, now, { ...options, onTaken }));
    if (batch.executions > 0) onPlanned(batch);
    return batch;
  }

  async function planAlone(jobId: string, range: DueRange, now: Date): Promise<void> {
    try {
      await planTogether({ ...range, only: jobId }, now);
    } catch (error) {
      if (isAway(error)) throw error;
      logger.error('A job cannot be planned; it is tried again later', {
        jobId: encodePublicId('Job', jobId),
        ...quarantine.add(jobId),
        error,
      });
    }
  }

  async function plan(span: Pick<DueRange, 'after' | 'until'>, now: Date): Promise<PlannedBatch> {
    const range: DueRange = { ...span, except: quarantine.ids(), only: null };
    let taken: string[] = [];
    try {
      return await planTogether(range, now, (jobIds) => (taken = jobIds));
    } catch (error) {
      if (isAway(error) || taken.length === 0) throw error;
      logger.warn('A batch of jobs could not be planned; each is planned by itself', { error });
    }
    for (const jobId of taken) await planAlone(jobId, range, now);
    return { ...NOTHING, isMoreDue: true };
  }

  return {
    planFresh: (now) => plan({ after: backlogUntil(now), until: now }, now),
    planBacklog: (now) => plan({ after: EVER, until: backlogUntil(now) }, now),
  };
}
