import type { PoolClient } from 'pg';
import { whyNoBody } from '../../domain/request/http-method.ts';
import { checkJobBody } from '../../domain/job/job-body.ts';
import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { maskedBodyIssues } from '../../domain/job/job-input.ts';
import { JOB_LIMITS } from '../../domain/job/job-limits.ts';
import { checkTemplates } from '../../domain/request/template-check.ts';
import { decodePublicId } from '../../domain/values/public-id.ts';
import { checkText } from '../../domain/values/text.ts';
import type { WakeUp } from '../../events/wakeups.ts';
import { findByIdempotencyKey } from '../../store/executions/manual-executions.ts';
import type { Queryable } from '../../store/statements/sql.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, validationError } from '../command-result.ts';
import { commandStatement, commandTransaction } from '../command-transaction.ts';
import { type JobReference, lockLiveUntaggedJob } from '../jobs/job-checks.ts';
import { runManually, RUN_WAKES, runUnlimited } from './run-manually.ts';

export type TriggerJobInput = JobReference & {
  /** Replaces the job's body for this run; null sends none; absent keeps the job's. */
  body?: unknown;
  /** A second call with the same key, however much later, answers with the execution of the first. */
  idempotencyKey?: string | null | undefined;
};

interface Triggered {
  result: CommandResult<{ executionId: string; created: boolean }>;
  wakes: readonly WakeUp[];
}

/**
 * Runs a job now, beside its schedule. A paused or completed job may be run by hand too.
 *
 * @returns id (a UUID) of the execution, and whether this call created it
 */
export async function triggerJob(
  deps: CommandDeps,
  by: Caller,
  { body, idempotencyKey = null, ...reference }: TriggerJobInput,
): Promise<CommandResult<{ executionId: string; created: boolean }>> {
  const issues = triggerIssues(body, idempotencyKey);
  if (issues.length > 0) return failWith(validationError(issues));

  const { expectedVersion = null } = reference;
  if (body === undefined && idempotencyKey === null && expectedVersion === null) {
    const executionId = await runAtOnce(deps, by, reference.id);
    if (executionId !== null) return { ok: true, value: { executionId, created: true } };
  }

  const work = async (tx: PoolClient): Promise<Triggered> => {
    const found = await lockLiveUntaggedJob(tx, reference);
    if (!found.ok) return { result: found, wakes: [] };
    const job = found.value;
    // A repeated key answers with what it made before; only a new execution cancels others to take their place.
    const known = idempotencyKey === null ? null : await findByIdempotencyKey(tx, job.id, idempotencyKey);
    if (known !== null) return triggered(known, false, []);
    const bodyProblem = whyNoBody(job.method, body ?? null);
    if (bodyProblem !== null) {
      return { result: failWith(validationError([{ path: ['body'], message: bodyProblem }])), wakes: [] };
    }
    const run = await runManually(tx, deps, by, [{ job, body, idempotencyKey }], deps.clock.now());
    return triggered(run.executionIds[0] ?? '', true, run.wakes);
  };
  return (await commandTransaction(deps, work, ({ wakes }) => wakes)).result;
}

/** Most jobs have no limit, and most runs change nothing: these need no look at the job first. */
async function runAtOnce(deps: CommandDeps, by: Caller, id: string): Promise<string | null> {
  const jobId = decodePublicId('Job', id);
  if (jobId === null) return null;
  const run = (db: Queryable) => runUnlimited(db, deps, by, jobId);
  return commandStatement(deps, run, (executionId) => (executionId === null ? [] : RUN_WAKES));
}

function triggered(executionId: string, created: boolean, wakes: readonly WakeUp[]): Triggered {
  return { result: { ok: true, value: { executionId, created } }, wakes };
}

function triggerIssues(body: unknown, idempotencyKey: string | null): FieldIssue[] {
  const keyMessage = idempotencyKey === null ? null : checkText(idempotencyKey, JOB_LIMITS.idempotencyKey);
  return [
    ...(body === undefined ? [] : bodyIssues(body)),
    ...(keyMessage === null ? [] : [{ path: ['idempotencyKey'], message: keyMessage }]),
  ];
}

function bodyIssues(body: unknown): FieldIssue[] {
  const message = checkJobBody(body);
  if (message !== null) return [{ path: ['body'], message }];
  return [...checkTemplates({ body }), ...maskedBodyIssues(body)];
}
