import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { PoolClient } from 'pg';
import { forgetSatisfactions } from '../../store/jobs/dependencies.ts';
import { replaceJobTags } from '../../store/tags/job-tags.ts';
import { insertJobs, isKeyTaken, lockJobsByKey, type StoredJob, updateJobs } from '../../store/jobs/jobs.ts';
import { holdTagNames } from '../../store/tags/tags.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandError, type CommandResult, failWith, keyTaken } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import type { CreateJobInput } from './create-job.ts';
import { gainsSlots, kindsOf } from './job-change.ts';
import { type JobRecord, recordJobChanges } from './job-record.ts';
import { pastSkippedRuns } from './skipped-runs.ts';
import { isChanged, isNew, planUpsert, type UpsertPlan } from './upsert-plan.ts';
import { keyErrors, tooManyJobs, errorAt, UPSERT_LIMITS } from './upsert-errors.ts';
import { withdrawOutdated } from '../executions/withdrawals.ts';

export interface UpsertJobsInput {
  jobs: readonly CreateJobInput[];
}

export interface UpsertOutcome {
  /** In the order of the input. */
  jobs: StoredJob[];
  createdCount: number;
  changedCount: number;
  unchangedCount: number;
}

/**
 * Creates or changes the jobs that bear the keys, all or none of them. A job that exists becomes what creating it anew
 * would have made, but for its status and its tags where the input says nothing of them. What is as it should be is left
 * alone: the same input a second time writes nothing. A fixed number of statements, however many jobs.
 *
 * @returns the jobs; or all that is wrong with them, each error with the job's index in its path
 */
export async function upsertJobs(
  deps: CommandDeps,
  by: Caller,
  { jobs }: UpsertJobsInput,
): Promise<CommandResult<UpsertOutcome>> {
  if (jobs.length > UPSERT_LIMITS.jobs) return failWith(tooManyJobs(jobs.length));
  const result = await upsertAll(deps, by, jobs, (index) => ['input', 'jobs', String(index)]);
  if (!result.ok) return result;
  const plans = result.value;
  const createdCount = plans.filter(isNew).length;
  const changedCount = plans.filter(isChanged).length;
  return {
    ok: true,
    value: {
      jobs: plans.map(({ after }) => after),
      createdCount,
      changedCount,
      unchangedCount: plans.length - createdCount - changedCount,
    },
  };
}

/** The same for one job; the paths of its errors are those of `createJob`. */
export async function upsertJob(
  deps: CommandDeps,
  by: Caller,
  input: CreateJobInput,
): Promise<CommandResult<StoredJob>> {
  const result = await upsertAll(deps, by, [input], () => []);
  if (!result.ok) return result;
  const [plan] = result.value;
  if (!plan) throw new Error('One job was to be upserted, and none is answered for');
  return { ok: true, value: plan.after };
}

/** Jobs that are decided on before others get their turn: a thousand new ones take some 100 ms. */
const JOBS_PER_TURN = 50;

/** How often a new key may be taken by somebody else just before it is written. */
export const MAX_UPSERT_ATTEMPTS = 5;

async function upsertAll(
  deps: CommandDeps,
  by: Caller,
  inputs: readonly CreateJobInput[],
  placeOf: (index: number) => string[],
): Promise<CommandResult<UpsertPlan[]>> {
  const wrong = keyErrors(inputs, placeOf);
  if (wrong.length > 0) return { ok: false, errors: wrong };
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await commandTransaction(deps, (tx) => upsertIn(tx, deps, by, inputs, placeOf));
    } catch (error) {
      if (!isKeyTaken(error)) throw error;
      // Somebody created one of the jobs since we looked. Once more: now it is one that exists.
      if (attempt === MAX_UPSERT_ATTEMPTS) return failWith(keyTaken());
    }
  }
}

async function upsertIn(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  inputs: readonly CreateJobInput[],
  placeOf: (index: number) => string[],
): Promise<CommandResult<UpsertPlan[]>> {
  if (inputs.some(({ tags }) => tags)) await holdTagNames(tx);
  const existing = await lockJobsByKey(
    tx,
    inputs.map(({ key }) => key ?? ''),
  );
  const byKey = new Map(existing.map((job) => [job.key, job]));
  const now = deps.clock.now();
  const plans: UpsertPlan[] = [];
  const errors: CommandError[] = [];
  for (const [index, input] of inputs.entries()) {
    const plan = planUpsert(deps, by, byKey.get(input.key ?? '') ?? null, input, now);
    if (plan.ok) plans.push(plan.value);
    else if (errors.length < UPSERT_LIMITS.errors)
      errors.push(...plan.errors.map((error) => errorAt(error, placeOf(index))));
    if (index % JOBS_PER_TURN === JOBS_PER_TURN - 1) await nextTurn();
  }
  if (errors.length > 0) return { ok: false, errors };
  return { ok: true, value: await writePlans(tx, deps, by, plans, now) };
}

/** Answers the plans as they were written. */
async function writePlans(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  planned: readonly UpsertPlan[],
  now: Date,
): Promise<UpsertPlan[]> {
  const afters = await pastSkippedRuns(
    tx,
    planned.filter(isChanged).map(({ after }) => after),
  );
  const moved = new Map(afters.map((job) => [job.id, job]));
  const plans = planned.map((plan) => ({ ...plan, after: moved.get(plan.after.id) ?? plan.after }));
  const [created, changed] = [plans.filter(isNew), plans.filter(isChanged)];

  // In the order of their keys: two who create the same jobs then wait for each other in one order only.
  await insertJobs(tx, created.map(({ after }) => after).sort(byKey));
  await updateJobs(
    tx,
    changed.map(({ after }) => after),
  );
  const retagged = [...created, ...changed].filter(
    ({ before, after }) => !isDeepStrictEqual(before?.tags ?? [], after.tags),
  );
  await replaceJobTags(
    tx,
    retagged.map(({ after }) => after),
    now,
    deps.newId,
  );
  const gaining = changed.filter(({ before, after }) => before !== null && gainsSlots(before, after));
  await forgetSatisfactions(
    tx,
    gaining.map(({ after }) => after.id),
  );
  const events = await withdrawOutdated(
    tx,
    changed.flatMap(({ before, after }) => (before === null ? [] : [{ before, after }])),
    now,
  );
  const records = plans
    .filter((plan) => isNew(plan) || isChanged(plan))
    .map(({ before, after }): JobRecord =>
      before === null
        ? { action: 'CREATED', before, after, now, kinds: ['JOB_CREATED'] }
        : { action: 'UPDATED', before, after, now, kinds: kindsOf(before, after) },
    );
  await recordJobChanges(tx, deps, by, records, events);
  return plans;
}

function byKey(a: StoredJob, b: StoredJob): number {
  const [x, y] = [a.key ?? '', b.key ?? ''];
  return x < y ? -1 : x > y ? 1 : 0;
}
