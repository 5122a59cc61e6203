import type { Pool } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { planJob, type DueJob, type JobPlan } from '../domain/plan.ts';
import { encodePublicId } from '../domain/public-id.ts';
import { createLogger } from '../logging/logger.ts';
import { lockDueJobs, nextDueAt, recordPlan } from '../store/planning.ts';
import { inTransaction } from '../store/sql.ts';
import { createLoop, type Loop } from './loop.ts';

const logger = createLogger('Planner');

export interface PlannerOptions {
  pool: Pool;
  clock: Clock;
  /** The longest sleep: what another instance changed is seen by then even when its wake-up was lost. */
  pollIntervalMs: number;
  /** Takes up the jobs whose pause has ended; answers when the next pause ends. */
  resumePaused: () => Promise<Date | null>;
  /** Called after each batch that planned something. */
  onPlanned: () => void;
  onError: (error: unknown) => void;
}

/** Jobs in one transaction: enough to share its cost, few enough that their rows are not held for long. */
const BATCH_JOBS = 1_000;

/**
 * Turns due slots into executions. Sleeps until the earliest job is due, not from poll to poll; takes batches that no
 * other instance has locked; decides in domain/; writes each batch in one transaction.
 */
export function createPlanner(options: PlannerOptions): Loop {
  const { pool, clock, pollIntervalMs, resumePaused, onPlanned, onError } = options;

  async function step(): Promise<number> {
    const pauseEndsAt = await resumePaused();
    const { jobs, executions } = await planBatch();
    if (executions > 0) onPlanned();
    if (jobs === BATCH_JOBS) return 0;
    return untilEarliest([await nextDueAt(pool), pauseEndsAt]);
  }

  function planBatch(): Promise<{ jobs: number; executions: number }> {
    return inTransaction(pool, async (tx) => {
      const now = clock.now();
      const jobs = await lockDueJobs(tx, now, BATCH_JOBS);
      if (jobs.length === 0) return { jobs: 0, executions: 0 };
      const plans = jobs.map((job) => planOrSetAside(job, now));
      const executions = await recordPlan(tx, {
        executions: plans.flatMap((plan) => plan.executions),
        moves: plans.map((plan) => plan.move),
        now,
      });
      logger.debug('Planned', { jobs: jobs.length, executions });
      return { jobs: jobs.length, executions };
    });
  }

  function untilEarliest(instants: readonly (Date | null)[]): number {
    const nowMs = clock.now().getTime();
    return Math.min(pollIntervalMs, ...instants.map((at) => (at === null ? Infinity : at.getTime() - nowMs)));
  }

  return createLoop({ name: 'planner', step, onError });
}

/** One job that cannot be planned, say because its row was edited by hand, must not stop all others for ever. */
function planOrSetAside(job: DueJob, now: Date): JobPlan {
  try {
    return planJob(job, now);
  } catch (error) {
    logger.error('A job cannot be planned and has no next run now; change its schedule', {
      jobId: encodePublicId('Job', job.id),
      error,
    });
    return { executions: [], move: { id: job.id, nextRunAt: null, status: 'ACTIVE' } };
  }
}
