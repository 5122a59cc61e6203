import type { PoolClient } from 'pg';
import { placeAmongSlots, type SlotPlace } from '../../domain/schedule/job-slots.ts';
import { encodePublicId } from '../../domain/values/public-id.ts';
import { slotExecutionId } from '../../domain/schedule/slot-id.ts';
import type { NewAuditEntry } from '../../store/events/audit-log.ts';
import type { NewEvent } from '../../store/events/append-events.ts';
import { recordChanges } from '../../store/executions/recording.ts';
import { type StoredJob, updateJob as writeJob } from '../../store/jobs/jobs.ts';
import { executionOfSlot, insertSkippedSlot } from '../../store/jobs/skipped-slots.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandError, type CommandResult, failWith, validationError } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { reasonIssues } from '../executions/execution-checks.ts';
import { lockLiveJob } from './job-checks.ts';
import { jobEvent } from './job-record.ts';
import { pastSkippedRunsOf } from './skipped-runs.ts';

export interface SkipRunInput {
  jobId: string;
  /** A future slot of the job, to the millisecond. */
  scheduledAt: Date;
  /** For its history and the audit log; up to 1,000 characters. */
  reason?: string | null | undefined;
}

/**
 * Leaves out one future slot of an active or paused job. The slot's execution is recorded as SKIPPED at once, not when
 * its time comes: that is what keeps every instance from planning it. It stays when the job's schedule is changed later,
 * and where the new schedule names the slot as well, it is left out there too. Repeating changes nothing.
 *
 * @returns id (a UUID) of the slot's execution; or, where the instant is no future slot, which ones are nearest
 */
export async function skipRun(
  deps: CommandDeps,
  by: Caller,
  { jobId, scheduledAt, reason = null }: SkipRunInput,
): Promise<CommandResult<{ executionId: string }>> {
  const issues = reasonIssues(reason);
  if (issues.length > 0) return failWith(validationError(issues));

  return commandTransaction(deps, async (tx) => {
    const found = await lockLiveJob(tx, { id: jobId });
    if (!found.ok) return { ok: false, errors: found.errors.map(aboutJobId) };
    const job = found.value;
    const taken = await executionOfSlot(tx, job.id, scheduledAt);
    if (taken?.skipReason === 'OPERATOR') return { ok: true, value: { executionId: taken.id } };

    const now = deps.clock.now();
    const refusal = refusalOf(job, scheduledAt, now);
    if (refusal) return failWith(refusal);
    if (taken !== null) {
      const message = `The slot has become ${encodePublicId('Execution', taken.id)}, which is ${taken.status}; cancel that one.`;
      return failWith({ kind: 'ConflictError', message, path: ['scheduledAt'] });
    }
    return { ok: true, value: { executionId: await leaveOut(tx, deps, by, job, scheduledAt, reason, now) } };
  });
}

function aboutJobId(error: CommandError): CommandError {
  return error.kind === 'NotFoundError' ? { ...error, path: ['jobId'] } : error;
}

function refusalOf(job: StoredJob, scheduledAt: Date, now: Date): CommandError | null {
  if (job.status !== 'ACTIVE' && job.status !== 'PAUSED') {
    return {
      kind: 'ConflictError',
      message: `The job is ${job.status}: it has no runs to skip.`,
      path: ['jobId'],
    };
  }
  const place = placeAmongSlots(job, scheduledAt, now);
  if (scheduledAt > now && place.isSlot) return null;
  return validationError([{ path: ['scheduledAt'], message: messageOf(place, scheduledAt, now) }]);
}

function messageOf({ isSlot, before, after }: SlotPlace, scheduledAt: Date, now: Date): string {
  if (scheduledAt <= now) {
    const what = isSlot ? 'This slot has passed' : 'Lies in the past';
    return `${what}; now is ${now.toISOString()}.`;
  }
  const nearest = [before, after].flatMap((slot) => (slot === null ? [] : [slot.toISOString()]));
  const hint =
    nearest.length === 0 ? 'It has no slots near it.' : `The nearest are ${nearest.join(' and ')}.`;
  return `Is no slot of the job. ${hint}`;
}

async function leaveOut(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  job: StoredJob,
  scheduledAt: Date,
  reason: string | null,
  now: Date,
): Promise<string> {
  const id = slotExecutionId(job.id, scheduledAt);
  const skipped = await insertSkippedSlot(tx, {
    id,
    jobId: job.id,
    scheduledAt,
    now,
    priority: job.priority,
    maxAttempts: 1 + (job.retryPolicy?.maxRetries ?? 0),
    message: reason === null || reason === '' ? 'Left out on request.' : `Left out on request: ${reason}`,
  });
  const moved = await moveOn(tx, job, now);
  const entry: NewAuditEntry = {
    id: deps.newId(now),
    at: now,
    action: 'UPDATED',
    actor: by.actor,
    jobId: job.id,
    before: null,
    after: { skippedRunAt: scheduledAt, executionId: encodePublicId('Execution', id), reason },
    requestId: by.requestId,
    address: by.address,
  };
  await recordChanges(tx, { audit: [entry], events: [skipped, ...moved] });
  return id;
}

/** Moves the job on where the slot was its next run; with the last one left out, it is complete. */
async function moveOn(tx: PoolClient, job: StoredJob, now: Date): Promise<NewEvent[]> {
  const next = await pastSkippedRunsOf(tx, job);
  if (next === job) return [];
  if (next.status !== 'COMPLETED') {
    await writeJob(tx, next);
    return [];
  }
  const completed: StoredJob = { ...next, version: job.version + 1, updatedAt: now };
  await writeJob(tx, completed);
  return [jobEvent('JOB_COMPLETED', completed, now, job)];
}
