import type { PoolClient } from 'pg';
import { isLimited } from '../../domain/job/concurrency.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import type { WakeUp } from '../../events/wakeups.ts';
import { type Admitted, admitExecutions } from '../../store/executions/admission.ts';
import {
  insertAdmitted,
  insertUnlimited,
  type ManualExecution,
  type ManualOrigin,
} from '../../store/executions/manual-executions.ts';
import type { UntaggedJob } from '../../store/jobs/jobs.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';

/** A job that somebody runs now. */
export interface ManualRun {
  job: UntaggedJob;
  /** Replaces the job's body; null sends none; undefined keeps the job's. */
  body?: unknown;
  idempotencyKey?: string | null | undefined;
}

/** Who is woken by an execution that may run at once. */
export const RUN_WAKES: readonly WakeUp[] = ['executions', 'events'];

/**
 * Runs jobs that the transaction holds locked, beside their schedules and beside what else runs of them, as their
 * concurrency policies allow. The transaction's last writes.
 *
 * @returns ids (UUIDs) of the executions, in the order of the runs; and who is to be woken after the commit
 */
export async function runManually(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  runs: readonly ManualRun[],
  now: Date,
): Promise<{ executionIds: string[]; wakes: readonly WakeUp[] }> {
  const executions = runs.map(({ job, body, idempotencyKey }) =>
    executionOf(deps, now, { jobId: job.id, body, idempotencyKey }),
  );
  const executionIds = executions.map(({ id }) => id);
  if (!runs.some(({ job }) => isLimited(job))) {
    await insertUnlimited(tx, executions, originOf(by, now));
    return { executionIds, wakes: RUN_WAKES };
  }
  const { admitted, events, isReplacing } = await admitExecutions(
    tx,
    runs.map(({ job }) => job),
    now,
  );
  const entering = executions.map((execution, index): ManualExecution & Admitted => {
    const entry = admitted[index];
    if (!entry) throw new Error('A run was not answered for');
    return { ...execution, ...entry };
  });
  await insertAdmitted(tx, entering, originOf(by, now), events);
  return { executionIds, wakes: wakesOf(entering, isReplacing) };
}

/**
 * Runs a job that has no limit of concurrency, with its own body: by one statement.
 *
 * @returns id (a UUID) of the execution; null where there is no such job, or it has a limit
 */
export async function runUnlimited(
  db: Queryable,
  deps: CommandDeps,
  by: Caller,
  jobId: string,
): Promise<string | null> {
  const now = deps.clock.now();
  const execution = executionOf(deps, now, { jobId });
  const made = await insertUnlimited(db, [execution], originOf(by, now));
  return made.has(execution.id) ? execution.id : null;
}

/** The audit log says that the body was replaced, and not by what: it may be large, or hold secrets; the execution has it. */
function executionOf(
  deps: CommandDeps,
  now: Date,
  { jobId, body, idempotencyKey = null }: Pick<ManualExecution, 'jobId' | 'body' | 'idempotencyKey'>,
): ManualExecution {
  const id = deps.newId(now);
  const after = {
    executionId: encodePublicId('Execution', id),
    ...(body !== undefined && { bodyReplaced: true }),
    ...(idempotencyKey !== null && { idempotencyKey }),
  };
  return { id, jobId, body, idempotencyKey, auditId: deps.newId(now), after };
}

function originOf({ actor, requestId, address }: Caller, now: Date): ManualOrigin {
  return { now, actor, requestId, address };
}

/** Whoever unblocks what is blocked may not know yet that anything is; calls that are to stop are aborted at once. */
function wakesOf(runs: readonly Admitted[], isReplacing: boolean): WakeUp[] {
  return [
    ...RUN_WAKES,
    ...(runs.some(({ status }) => status === 'BLOCKED') ? (['blocked'] as const) : []),
    ...(isReplacing ? (['cancellations'] as const) : []),
  ];
}
