import type { PoolClient } from 'pg';
import type { RunEnd } from '../../domain/workflow/dependency.ts';
import { isFinished } from '../../domain/execution/execution.ts';
import { decodePublicId, encodePublicId } from '../../domain/values/public-id.ts';
import {
  type CancellableExecution,
  cancelWaiting,
  lockCancellable,
  requestCancellationOf,
} from '../../store/executions/cancelling.ts';
import { insertAuditEntries, type NewAuditEntry } from '../../store/events/audit-log.ts';
import { recordChanges } from '../../store/executions/recording.ts';
import { appendLogLines } from '../../store/executions/execution-log-lines.ts';
import { lockJoinsBehind, type LockedJoin, recordEnds } from '../../store/jobs/joins.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandResult, failWith, validationError } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { executionNotFound, reasonIssues } from './execution-checks.ts';

export interface CancelExecutionInput {
  id: string;
  /** For its history and the audit log; up to 1,000 characters. */
  reason?: string | null | undefined;
}

/**
 * Takes an execution back. One that waits is CANCELLED at once. One that is RUNNING stays so for the moment: the
 * instance that runs it is asked to abort its call, and then records the end; a call that ends by itself meanwhile ends
 * the execution as it ended. Repeating changes nothing, and neither does cancelling what is CANCELLED.
 *
 * @returns id (a UUID) of the execution; or a ConflictError where it ended otherwise
 */
export async function cancelExecution(
  deps: CommandDeps,
  by: Caller,
  { id, reason = null }: CancelExecutionInput,
): Promise<CommandResult<{ executionId: string }>> {
  const issues = reasonIssues(reason);
  if (issues.length > 0) return failWith(validationError(issues));
  const uuid = decodePublicId('Execution', id);
  if (uuid === null) return failWith(executionNotFound(id));

  const result = await commandTransaction(deps, async (tx) => {
    // Jobs before executions, as all do who lock both, though only some of the ends below concern them.
    const joins = await lockJoinsBehind(tx, [uuid]);
    const execution = await lockCancellable(tx, uuid);
    if (execution === null) return failWith(executionNotFound(id));
    const { status } = execution;
    if (isFinished(status) && status !== 'CANCELLED') {
      const message = `The execution is finished: it ended as ${status}.`;
      return failWith({ kind: 'ConflictError', message, path: ['id'] });
    }
    if (status === 'RUNNING') await cancelRunning(tx, deps, by, execution, reason);
    else if (status !== 'CANCELLED') await cancelNow(tx, deps, by, { execution, joins, reason });
    return { ok: true as const, value: { executionId: uuid } };
  });
  if (result.ok) deps.wake('cancellations');
  return result;
}

async function cancelRunning(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  execution: CancellableExecution,
  reason: string | null,
): Promise<void> {
  if (execution.isCancelRequested) return;
  const now = deps.clock.now();
  await requestCancellationOf(tx, execution.id, { now, reason });
  await insertAuditEntries(tx, [auditEntryOf(deps, by, execution, reason, now)]);
}

/** What was attempted before counts as a run that ended, for those that wait for one; what never started does not. */
async function cancelNow(
  tx: PoolClient,
  deps: CommandDeps,
  by: Caller,
  {
    execution,
    joins,
    reason,
  }: { execution: CancellableExecution; joins: LockedJoin[]; reason: string | null },
): Promise<void> {
  const { id, jobId, wasStarted } = execution;
  const now = deps.clock.now();
  const when = wasStarted
    ? 'Cancelled while it waited for its next attempt.'
    : 'Cancelled before it was started.';
  const message = reason === null ? when : `${when} Reason: ${reason}`;
  const cancelled = await cancelWaiting(tx, id, { now, reason, message });
  const ends: RunEnd[] = wasStarted ? [{ executionId: id, jobId, status: 'CANCELLED', at: now }] : [];
  const setOff = await recordEnds(tx, joins, ends, deps.newId);
  await appendLogLines(tx, [{ executionId: id, at: now, level: 'WARN', message }]);
  await recordChanges(tx, {
    audit: [auditEntryOf(deps, by, execution, reason, now)],
    events: [cancelled, ...setOff.events],
  });
}

function auditEntryOf(
  deps: CommandDeps,
  by: Caller,
  { id, jobId, status }: CancellableExecution,
  reason: string | null,
  now: Date,
): NewAuditEntry {
  const executionId = encodePublicId('Execution', id);
  return {
    id: deps.newId(now),
    at: now,
    action: 'CANCELLED',
    actor: by.actor,
    jobId,
    before: { executionId, status },
    after: { executionId, reason },
    requestId: by.requestId,
    address: by.address,
  };
}
