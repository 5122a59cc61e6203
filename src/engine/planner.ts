import type { Pool, PoolClient } from 'pg';
import type { Clock } from '../domain/clock.ts';
import { isLimited, NO_LOAD, REPLACED_MESSAGE, type ConcurrencyLoad } from '../domain/concurrency.ts';
import { planJob, type DueJob, type JobPlan } from '../domain/plan.ts';
import { encodePublicId } from '../domain/public-id.ts';
import { createLogger } from '../logging/logger.ts';
import { readLoads } from '../store/concurrency.ts';
import { readUnmetDependencies } from '../store/dependency-gates.ts';
import { appendEvents, type NewEvent } from '../store/event-log.ts';
import { lockDueJobs, nextDueAt, recordPlan, type DueRange } from '../store/planning.ts';
import { inTransaction } from '../store/sql.ts';
import { requestCancellation, withdrawExecutions } from '../store/withdrawing.ts';
import { createLoop, type Loop } from '../loop.ts';

const logger = createLogger('Planner');

export interface PlannerOptions {
  pool: Pool;
  clock: Clock;
  /** The longest sleep: what another instance changed is seen by then even when its wake-up was lost. */
  pollIntervalMs: number;
  /** Takes up the jobs whose pause has ended; answers when the next pause ends. */
  resumePaused: () => Promise<Date | null>;
  /** Called after each batch that planned something. */
  onPlanned: (planned: Pick<PlannedBatch, 'isAnythingBlocked' | 'isReplacing'>) => void;
  onError: (error: unknown) => void;
  monotonicMs?: () => number;
}

interface PlannedBatch {
  jobs: number;
  /** New executions. */
  executions: number;
  isAnythingBlocked: boolean;
  /** Calls under way were asked to stop for new executions. */
  isReplacing: boolean;
  isMoreDue: boolean;
}

const NOTHING: PlannedBatch = {
  jobs: 0,
  executions: 0,
  isAnythingBlocked: false,
  isReplacing: false,
  isMoreDue: false,
};

/** Jobs in one transaction: enough to share its cost, few enough that their rows are not held for long. */
const BATCH_JOBS = 1_000;
/**
 * Executions, and slots that they stand for, after which a batch takes no further job. An outage of a day leaves a job of
 * every second with 86,400 slots: a thousand such jobs in one transaction would stand still for minutes, and every
 * other loop with them. What becomes due meanwhile waits for the end of the batch.
 */
const BATCH_EXECUTIONS = 2_000;
const BATCH_SLOTS = 50_000;
/**
 * Computing after which a batch takes no further job: the rarest schedules take some 20 ms each, and the transaction
 * would be ended for standing still.
 */
const BATCH_COMPUTING_MS = 2_000;
/** A job that has been due for longer than this waits for those that have just become due. */
const BACKLOG_AFTER_MS = 60_000;
const EVER = new Date(0);
/** A job that is due, or whose pause has ended, and that could not be taken is held by somebody, perhaps for long. */
const LOCKED_RETRY_MS = 50;

/**
 * Turns due slots into executions. Sleeps until the earliest job is due, not from poll to poll; takes batches that no
 * other instance has locked; decides in domain/; writes each batch in one transaction.
 *
 * What an outage has left behind is planned batch by batch, and before each of them what has become due since: the
 * earliest first would have every slot wait until the whole backlog is planned.
 */
export function createPlanner(options: PlannerOptions): Loop {
  const { pool, clock, pollIntervalMs, resumePaused, onPlanned, onError } = options;
  const { monotonicMs = () => performance.now() } = options;

  async function step(): Promise<number> {
    const pauseEndsAt = await resumePaused();
    const now = clock.now();
    const backlogUntil = new Date(now.getTime() - BACKLOG_AFTER_MS);
    const fresh = await planBatch({ after: backlogUntil, until: now }, now);
    if (fresh.isMoreDue) return 0;
    const dueAt = await nextDueAt(pool);
    if (dueAt === null || dueAt > now) return untilEarliest(dueAt, pauseEndsAt);
    if (dueAt > backlogUntil) return LOCKED_RETRY_MS;
    const backlog = await planBatch({ after: EVER, until: backlogUntil }, now);
    return backlog.jobs > 0 ? 0 : LOCKED_RETRY_MS;
  }

  async function planBatch(range: DueRange, now: Date): Promise<PlannedBatch> {
    const batch = await inTransaction(pool, async (tx) => {
      const jobs = await lockDueJobs(tx, range, BATCH_JOBS);
      if (jobs.length === 0) return NOTHING;
      const facts = await readFacts(tx, jobs);
      const enoughAtMs = monotonicMs() + BATCH_COMPUTING_MS;
      const plans = planSome(jobs, facts, now, () => monotonicMs() > enoughAtMs);
      const { events, isReplacing } = await cancelReplaced(tx, plans, now);
      const executions = await recordPlan(tx, {
        executions: plans.flatMap((plan) => plan.executions),
        moves: plans.map((plan) => plan.move),
        now,
      });
      await appendEvents(tx, events);
      logger.debug('Planned', { jobs: plans.length, executions });
      const isAnythingBlocked = plans.some((plan) =>
        plan.executions.some(({ status }) => status === 'BLOCKED'),
      );
      return {
        jobs: plans.length,
        executions,
        isAnythingBlocked,
        isReplacing,
        isMoreDue: plans.length < jobs.length || jobs.length === BATCH_JOBS,
      };
    });
    if (batch.executions > 0) onPlanned(batch);
    return batch;
  }

  function untilEarliest(dueAt: Date | null, pauseEndsAt: Date | null): number {
    const nowMs = clock.now().getTime();
    const untilDueMs = dueAt === null ? Infinity : dueAt.getTime() - nowMs;
    const untilPauseEndMs = pauseEndsAt === null ? Infinity : pauseEndsAt.getTime() - nowMs;
    return Math.min(pollIntervalMs, untilDueMs, untilPauseEndMs > 0 ? untilPauseEndMs : LOCKED_RETRY_MS);
  }

  return createLoop({ name: 'planner', step, onError });
}

/** What of other executions the plans of a batch depend on, by the jobs' ids. */
interface Facts {
  /** Of the jobs whose executions may not overlap at will; for all others they do not matter. */
  loads: ReadonlyMap<string, ConcurrencyLoad>;
  /** Why jobs may not fire now. */
  unmet: ReadonlyMap<string, string>;
}

async function readFacts(tx: PoolClient, jobs: readonly DueJob[]): Promise<Facts> {
  const idsOf = (chosen: readonly DueJob[]) => chosen.map((job) => job.id);
  const loads = await readLoads(tx, idsOf(jobs.filter(isLimited)));
  const unmet = await readUnmetDependencies(tx, idsOf(jobs.filter((job) => job.hasDependencies)));
  return { loads, unmet };
}

/** Cancels what new executions take the place of; answers the events, to be appended behind the plan's own. */
async function cancelReplaced(
  tx: PoolClient,
  plans: readonly JobPlan[],
  now: Date,
): Promise<{ events: NewEvent[]; isReplacing: boolean }> {
  const jobIds = plans.filter(({ replacesUnfinished }) => replacesUnfinished).map(({ move }) => move.id);
  const reason = REPLACED_MESSAGE;
  const events = await withdrawExecutions(tx, jobIds, { scope: 'waiting', reason }, now);
  const stopping = await requestCancellation(tx, jobIds, { now, reason });
  return { events, isReplacing: stopping.size > 0 };
}

/** Plans jobs in their order until the batch has its fill; those left over stay due. */
function planSome(jobs: readonly DueJob[], facts: Facts, now: Date, isTimeUp: () => boolean): JobPlan[] {
  const plans: JobPlan[] = [];
  let executions = 0;
  let slots = 0;
  for (const job of jobs) {
    if (executions >= BATCH_EXECUTIONS || slots >= BATCH_SLOTS || (plans.length > 0 && isTimeUp())) break;
    const plan = planOrSetAside(job, facts, now);
    plans.push(plan);
    executions += plan.executions.length;
    for (const { slotCount } of plan.executions) slots += slotCount;
  }
  return plans;
}

/** One job that cannot be planned, say because its row was edited by hand, must not stop all others for ever. */
function planOrSetAside(job: DueJob, { loads, unmet }: Facts, now: Date): JobPlan {
  try {
    return planJob(job, loads.get(job.id) ?? NO_LOAD, unmet.get(job.id) ?? null, now);
  } catch (error) {
    logger.error('A job cannot be planned and has no next run now; change its schedule', {
      jobId: encodePublicId('Job', job.id),
      error,
    });
    const move = { id: job.id, nextRunAt: null, status: 'ACTIVE' } as const;
    return { executions: [], move, replacesUnfinished: false };
  }
}
