import type { PoolClient } from 'pg';
import { encodePublicId } from '../../domain/values/public-id.ts';
import type { NewAuditEntry } from '../../store/events/audit-log.ts';
import type { NewEvent } from '../../store/events/append-events.ts';
import { insertRecordedExecutions } from '../../store/executions/recording.ts';
import type { WakeUp } from '../../events/wakeups.ts';
import { type Admitted, admitExecutions } from '../../store/executions/admission.ts';
import type { NewManualExecution } from '../../store/executions/manual-executions.ts';
import type { UntaggedJob } from '../../store/jobs/jobs.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';

/** A job that somebody runs now. */
export interface ManualRun {
  job: UntaggedJob;
  /** Replaces the job's body; null sends none; undefined keeps the job's. */
  body?: unknown;
  idempotencyKey?: string | null;
}

type NewRun = ManualRun & Admitted & { id: string };

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
): Promise<{ executionIds: string[]; wakes: WakeUp[] }> {
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
  await insertRecordedExecutions(
    tx,
    newRuns.map((run) => executionOf(run, now)),
    {
      audit: newRuns.map((run) => auditEntryOf(deps, by, run, now)),
      events: [...events, ...newRuns.map((run) => eventOf(run, now))],
    },
  );
  return { executionIds: newRuns.map(({ id }) => id), wakes: wakesOf(newRuns, isReplacing) };
}

function executionOf(
  { job, id, status, errorMessage, body, idempotencyKey = null }: NewRun,
  now: Date,
): NewManualExecution {
  return { id, jobId: job.id, now, status, errorMessage, bodyOverride: body, idempotencyKey };
}

/** Whoever unblocks what is blocked may not know yet that anything is; calls that are to stop are aborted at once. */
function wakesOf(runs: readonly NewRun[], isReplacing: boolean): WakeUp[] {
  return [
    'executions',
    'events',
    ...(runs.some(({ status }) => status === 'BLOCKED') ? (['blocked'] as const) : []),
    ...(isReplacing ? (['cancellations'] as const) : []),
  ];
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
