import type { PoolClient } from 'pg';
import type { FieldIssue } from '../domain/job-definition.ts';
import { JOB_LIMITS } from '../domain/job-limits.ts';
import { checkJsonValue } from '../domain/json-value.ts';
import { encodePublicId } from '../domain/public-id.ts';
import { checkTemplates } from '../domain/template-check.ts';
import { checkText } from '../domain/text.ts';
import { admitExecution, type Admitted } from '../store/admission.ts';
import { insertAuditEntry } from '../store/audit-log.ts';
import { appendEvents } from '../store/event-log.ts';
import type { StoredJob } from '../store/jobs.ts';
import { findByIdempotencyKey, insertManualExecution } from '../store/manual-executions.ts';
import type { Caller, CommandDeps } from './command-deps.ts';
import { type CommandResult, failWith, validationError } from './command-result.ts';
import { commandTransaction } from './command-transaction.ts';
import { type JobReference, lockLiveJob } from './job-checks.ts';

export type TriggerJobInput = JobReference & {
  /** Replaces the job's body for this run; null sends none; absent keeps the job's. */
  body?: unknown;
  /** A second call with the same key, however much later, answers with the execution of the first. */
  idempotencyKey?: string | null | undefined;
};

interface Triggered {
  result: CommandResult<{ executionId: string; created: boolean }>;
  /** Calls under way were asked to stop for the new one. */
  isReplacing: boolean;
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

  const { result, isReplacing } = await commandTransaction(deps, async (tx): Promise<Triggered> => {
    const found = await lockLiveJob(tx, reference);
    if (!found.ok) return { result: found, isReplacing: false };
    const job = found.value;
    const now = deps.clock.now();
    // A repeated key answers with what it made before; only a new execution cancels others to take their place.
    const known = idempotencyKey === null ? null : await findByIdempotencyKey(tx, job.id, idempotencyKey);
    if (known !== null) return triggered(known, false);
    const { events, isReplacing: replaces, ...admitted } = await admitExecution(tx, job, now);
    const id = deps.newId(now);
    await insertManualExecution(tx, {
      ...admitted,
      id,
      jobId: job.id,
      now,
      maxAttempts: 1 + (job.retryPolicy?.maxRetries ?? 0),
      priority: job.priority,
      bodyOverride: body,
      idempotencyKey,
    });
    await record(tx, deps, by, { job, id, now, ...admitted, events });
    return triggered(id, true, replaces);
  });
  if (isReplacing) deps.wake('cancellations');
  return result;
}

function triggered(executionId: string, created: boolean, isReplacing = false): Triggered {
  return { result: { ok: true, value: { executionId, created } }, isReplacing };
}

function triggerIssues(body: unknown, idempotencyKey: string | null): FieldIssue[] {
  const bodyMessage = body === undefined ? null : checkJsonValue(body, JOB_LIMITS.bodyBytes);
  const templateIssues = bodyMessage === null ? checkTemplates({ body }) : [];
  const keyMessage = idempotencyKey === null ? null : checkText(idempotencyKey, JOB_LIMITS.idempotencyKey);
  return [
    ...(bodyMessage === null ? [] : [{ path: ['body'], message: bodyMessage }]),
    ...templateIssues,
    ...(keyMessage === null ? [] : [{ path: ['idempotencyKey'], message: keyMessage }]),
  ];
}

async function record(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  {
    job,
    id: executionId,
    now,
    status,
    errorMessage,
    events,
  }: Omit<Admitted, 'isReplacing'> & { job: StoredJob; id: string; now: Date },
): Promise<void> {
  await insertAuditEntry(tx, {
    id: deps.newId(now),
    at: now,
    action: 'TRIGGERED',
    actor: by.actor,
    jobId: job.id,
    before: null,
    after: { executionId: encodePublicId('Execution', executionId) },
    requestId: by.requestId,
    address: by.address,
  });
  await appendEvents(tx, [
    ...events,
    {
      at: now,
      kind: status === 'SKIPPED' ? 'EXECUTION_SKIPPED' : 'EXECUTION_PLANNED',
      jobId: job.id,
      executionId,
      status,
      trigger: 'MANUAL',
      createdAt: now,
      finishedAt: status === 'SKIPPED' ? now : null,
      errorMessage,
    },
  ]);
}
