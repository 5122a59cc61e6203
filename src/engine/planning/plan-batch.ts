import type { PoolClient } from 'pg';
import { isLimited, NO_LOAD, type ConcurrencyLoad } from '../../domain/job/concurrency.ts';
import { planJob, type DueJob, type JobPlan, type PlannedExecution } from '../../domain/schedule/plan.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { createLogger } from '../../logging/logger.ts';
import { insertAuditEntries, SCHEDULER_ACTOR, type NewAuditEntry } from '../../store/events/audit-log.ts';
import { readLoads } from '../../store/executions/concurrency.ts';
import { readUnmetDependencies } from '../../store/jobs/dependency-gates.ts';
import { appendEvents } from '../../store/events/append-events.ts';
import { lockDueJobs, recordPlan, type DueRange } from '../../store/executions/planning.ts';
import { replaceUnfinished } from '../../store/executions/withdrawing.ts';

const logger = createLogger('Planner');

export interface PlannedBatch {
  jobs: number;
  /** New executions. */
  executions: number;
  isAnythingBlocked: boolean;
  /** Calls under way were asked to stop for new executions. */
  isReplacing: boolean;
  isMoreDue: boolean;
}

export const NOTHING: PlannedBatch = {
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

export interface PlanBatchOptions {
  monotonicMs: () => number;
  /** Draws the id of an entry of the audit log. */
  newId: (now: Date) => string;
  /** Told of the jobs before anything is written. */
  onTaken: (jobIds: string[]) => void;
}

/**
 * Takes a batch of due jobs that nobody holds, decides in domain/ what their slots become, and writes it; all within the
 * transaction of the caller.
 */
export async function planBatch(
  tx: PoolClient,
  range: DueRange,
  now: Date,
  { monotonicMs, newId, onTaken }: PlanBatchOptions,
): Promise<PlannedBatch> {
  const jobs = await lockDueJobs(tx, range, BATCH_JOBS);
  if (jobs.length === 0) return NOTHING;
  onTaken(jobs.map(({ id }) => id));
  const facts = await readFacts(tx, jobs);
  const enoughAtMs = monotonicMs() + BATCH_COMPUTING_MS;
  const firstPlans = planSome(jobs, facts, now, () => monotonicMs() > enoughAtMs);
  const replacing = firstPlans
    .filter(({ replacesUnfinished }) => replacesUnfinished)
    .map(({ move }) => move.id);
  const { events, stopping } = await replaceUnfinished(tx, replacing, now);
  const plans = await planOvertaking(tx, jobs, firstPlans, facts, now);
  const planned = plans.flatMap(({ executions, move }) =>
    stopping.has(move.id) ? executions.map(blocked) : executions,
  );
  await insertAuditEntries(tx, completionsOf(plans, now, newId));
  const executions = await recordPlan(tx, {
    executions: planned,
    moves: plans.map((plan) => plan.move),
    now,
  });
  await appendEvents(tx, events);
  logger.debug('Planned', { jobs: plans.length, executions });
  return {
    jobs: plans.length,
    executions,
    isAnythingBlocked: planned.some(({ status }) => status === 'BLOCKED'),
    isReplacing: stopping.size > 0,
    isMoreDue: plans.length < jobs.length || jobs.length === BATCH_JOBS,
  };
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

/**
 * Decides anew where slots have taken the place of catch-ups: one that was claimed meanwhile has kept its own, and nothing may
 * run beside it.
 */
async function planOvertaking(
  tx: PoolClient,
  jobs: readonly DueJob[],
  plans: JobPlan[],
  facts: Facts,
  now: Date,
): Promise<JobPlan[]> {
  const isOvertaking = (job: DueJob, plan: JobPlan | undefined) =>
    job.concurrencyPolicy === 'FORBID' && plan?.replacesUnfinished === true;
  const ids = jobs.filter((job, index) => isOvertaking(job, plans[index])).map(({ id }) => id);
  if (ids.length === 0) return plans;
  const read = await readLoads(tx, ids);
  // None is to be overtaken now: those that have not begun after all hold their places, too.
  const loads = new Map([...read].map(([id, load]) => [id, { ...load, catchUps: 0 }]));
  return plans.map((plan, index) => {
    const job = jobs[index];
    return job && isOvertaking(job, plan) ? planOrQuarantine(job, { ...facts, loads }, now) : plan;
  });
}

/** What was to run waits until those that were asked to stop have ended. */
function blocked(execution: PlannedExecution): PlannedExecution {
  return execution.status === 'PENDING' ? { ...execution, status: 'BLOCKED' } : execution;
}

/** Jobs whose last slot is planned are complete: a change of theirs that nobody asked for. */
function completionsOf(plans: readonly JobPlan[], now: Date, newId: (now: Date) => string): NewAuditEntry[] {
  return plans
    .filter(({ move }) => move.status === 'COMPLETED')
    .map(({ move }) => ({
      id: newId(now),
      at: now,
      action: 'UPDATED',
      actor: SCHEDULER_ACTOR,
      jobId: move.id,
      before: { status: 'ACTIVE' },
      after: { status: 'COMPLETED' },
      requestId: null,
      address: null,
    }));
}

/** Plans jobs in their order until the batch has its fill; those left over stay due. */
function planSome(jobs: readonly DueJob[], facts: Facts, now: Date, isTimeUp: () => boolean): JobPlan[] {
  const plans: JobPlan[] = [];
  let executions = 0;
  let slots = 0;
  for (const job of jobs) {
    if (executions >= BATCH_EXECUTIONS || slots >= BATCH_SLOTS || (plans.length > 0 && isTimeUp())) break;
    const plan = planOrQuarantine(job, facts, now);
    plans.push(plan);
    executions += plan.executions.length;
    for (const { slotCount } of plan.executions) slots += slotCount;
  }
  return plans;
}

/** One job that cannot be planned, say because its row was edited by hand, must not stop all others for ever. */
function planOrQuarantine(job: DueJob, { loads, unmet }: Facts, now: Date): JobPlan {
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
