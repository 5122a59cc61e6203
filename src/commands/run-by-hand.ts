import type { PoolClient } from 'pg';
import { encodePublicId } from '../domain/public-id.ts';
import { type Admitted, admitExecutions } from '../store/admission.ts';
import { insertAuditEntries, type NewAuditEntry } from '../store/audit-log.ts';
import { appendEvents, type NewEvent } from '../store/event-log.ts';
import type { StoredJob } from '../store/jobs.ts';
import { insertManualExecutions } from '../store/manual-executions.ts';
import type { Caller, CommandDeps } from './command-deps.ts';

/** A job that somebody runs now. */
export interface RunByHand {
  job: StoredJob;
  /** Replaces the job's body; null sends none; undefined keeps the job's. */
  body?: unknown;
  idempotencyKey?: string | null;
}

type NewRun = RunByHand & Admitted & { id: string };

/**
 * Runs jobs that the transaction holds locked, beside their schedules and beside what else runs of them, as their
 * concurrency policies allow. The transaction's last writes.
 *
 * @returns ids (UUIDs) of the executions, in the order of the runs; and whether calls under way were asked to stop for
 *   them, so that lease keepers are to be woken after the commit
 */
export async function runByHand(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  runs: readonly RunByHand[],
  now: Date,
): Promise<{ executionIds: string[]; isReplacing: boolean }> {
  const { admitted, events, isReplacing } = await admitExecutions(
    tx,
    runs.map(({ job }) => job),
    now,
  );
  const newRuns = runs.map((run, index): NewRun => {
    const entry = admitted[index];
    if (!entry) throw new Error('A run was not answered for');
    return { ...run, ...entry, id: deps.newId(now) };
  });
  await insertManualExecutions(
    tx,
    newRuns.map(({ job, id, status, errorMessage, body, idempotencyKey = null }) => ({
      id,
      jobId: job.id,
      now,
      status,
      errorMessage,
      maxAttempts: 1 + (job.retryPolicy?.maxRetries ?? 0),
      priority: job.priority,
      bodyOverride: body,
      idempotencyKey,
    })),
  );
  await insertAuditEntries(
    tx,
    newRuns.map((run) => auditEntryOf(deps, by, run, now)),
  );
  await appendEvents(tx, [...events, ...newRuns.map((run) => eventOf(run, now))]);
  return { executionIds: newRuns.map(({ id }) => id), isReplacing };
}

/** Says that the body was replaced, and not by what: it may be large, or hold secrets; the execution has it. */
function auditEntryOf(
  deps: CommandDeps,
  by: Caller,
  { job, id, body, idempotencyKey = null }: NewRun,
  now: Date,
): NewAuditEntry {
  return {
    id: deps.newId(now),
    at: now,
    action: 'TRIGGERED',
    actor: by.actor,
    jobId: job.id,
    before: null,
    after: {
      executionId: encodePublicId('Execution', id),
      ...(body !== undefined && { bodyReplaced: true }),
      ...(idempotencyKey !== null && { idempotencyKey }),
    },
    requestId: by.requestId,
    address: by.address,
  };
}

function eventOf({ job, id, status, errorMessage }: NewRun, now: Date): NewEvent {
  const isSkipped = status === 'SKIPPED';
  return {
    at: now,
    kind: isSkipped ? 'EXECUTION_SKIPPED' : 'EXECUTION_PLANNED',
    jobId: job.id,
    executionId: id,
    status,
    trigger: 'MANUAL',
    createdAt: now,
    finishedAt: isSkipped ? now : null,
    errorMessage,
  };
}
