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
  /** Calls in flight must stop for new executions. */
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

/** Jobs in one transaction: enough to share its cost, and few enough to hold their locks only briefly. */
const BATCH_JOBS = 1_000;
/**
 * After so many executions, or slots that they stand for, a batch takes no further job. After an outage of a day, a
 * job with a slot each second has 86,400 slots. A thousand such jobs in one transaction would block every loop for
 * minutes. Jobs that become due in between wait for the end of the batch.
 */
const BATCH_EXECUTIONS = 2_000;
const BATCH_SLOTS = 50_000;
/**
 * After so much computing a batch takes no further job. The rarest schedules take about 20 ms each, and PostgreSQL
 * ends a transaction that is idle for too long.
 */
const BATCH_COMPUTING_MS = 2_000;

export interface PlanBatchOptions {
  monotonicMs: () => number;
  /** Draws the id of an entry of the audit log. */
  newId: (now: Date) => string;
  /** Called with the jobs before the first write. */
  onTaken: (jobIds: string[]) => void;
}

/**
 * Locks a batch of due jobs that are not locked, decides in domain/ what their slots become, and writes that. All of
 * it happens in the caller's transaction.
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

/** The facts about other executions that the plans of a batch depend on, by job id. */
interface Facts {
  /** For limited jobs only. */
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
 * Plans jobs again whose slots took the place of catch-ups. A catch-up that was claimed in between keeps its place,
 * and no other execution may run beside it.
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
  // No slot overtakes a catch-up now. Those that have not begun keep their places too.
  const loads = new Map([...read].map(([id, load]) => [id, { ...load, catchUps: 0 }]));
  return plans.map((plan, index) => {
    const job = jobs[index];
    return job && isOvertaking(job, plan) ? planOrQuarantine(job, { ...facts, loads }, now) : plan;
  });
}

/** The new execution waits until the executions that must stop have ended. */
function blocked(execution: PlannedExecution): PlannedExecution {
  return execution.status === 'PENDING' ? { ...execution, status: 'BLOCKED' } : execution;
}

/** The audit entries of jobs whose last slot is planned. They become COMPLETED without a request. */
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

/** Plans jobs in their order until the batch is full. The other jobs stay due. */
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

/** One job that cannot be planned must not stop all others. For example, somebody may have edited its row by hand. */
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
