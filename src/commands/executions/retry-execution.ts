import { isFinished } from '../../domain/execution/execution.ts';
import { decodePublicId, encodePublicId } from '../../domain/values/public-id.ts';
import type { NewAuditEntry } from '../../store/events/audit-log.ts';
import { recordChanges } from '../../store/executions/recording.ts';
import { type DeadLetterState, lockDeadLetter } from '../../store/executions/dead-letters.ts';
import { jobOfExecution } from '../../store/executions/job-of-execution.ts';
import { holdExecution, insertRedrives, lockLiveJobs } from '../../store/executions/redriving.ts';
import type { Caller, CommandDeps } from '../command-deps.ts';
import { type CommandError, type CommandResult, failWith } from '../command-result.ts';
import { commandTransaction } from '../command-transaction.ts';
import { executionNotFound } from './execution-checks.ts';

export interface RetryExecutionInput {
  id: string;
}

/**
 * Runs a finished execution again, as a new execution of the job as it is now with the same slot and body. For a FAILED
 * one whose dead letter is open this redrives the dead letter, and happens once: a caller that asks again reads which
 * execution it became. Any other may be run again any number of times.
 *
 * @returns id (a UUID) of the new execution; or a ConflictError where the execution is not finished, was redriven
 *   already, or belongs to a deleted job
 */
export async function retryExecution(
  deps: CommandDeps,
  by: Caller,
  { id }: RetryExecutionInput,
): Promise<CommandResult<{ executionId: string }>> {
  const uuid = decodePublicId('Execution', id);
  if (uuid === null) return failWith(executionNotFound(id));

  return commandTransaction(deps, async (tx) => {
    const jobId = await jobOfExecution(tx, uuid);
    if (jobId === null) return failWith(executionNotFound(id));
    const liveJobs = await lockLiveJobs(tx, [jobId]);
    const status = await holdExecution(tx, uuid);
    if (status === null) return failWith(executionNotFound(id));
    if (!liveJobs.has(jobId)) return failWith(conflict('The execution’s job was deleted.'));
    if (!isFinished(status)) {
      return failWith(conflict(`The execution is ${status}; only a finished one can be retried.`));
    }
    const deadLetter = await lockDeadLetter(tx, uuid);
    if (deadLetter?.redrivenAt) return failWith(alreadyRedriven(deadLetter));

    const now = deps.clock.now();
    const executionId = deps.newId(now);
    const events = await insertRedrives(tx, liveJobs, [{ id: executionId, jobId, redriveOfId: uuid }], now);
    const entry: NewAuditEntry = {
      id: deps.newId(now),
      at: now,
      action: 'REDRIVEN',
      actor: by.actor,
      jobId,
      before: { executionId: encodePublicId('Execution', uuid), status },
      after: { executionId: encodePublicId('Execution', executionId) },
      requestId: by.requestId,
      address: by.address,
    };
    await recordChanges(tx, { audit: [entry], events });
    return { ok: true, value: { executionId } };
  });
}

function alreadyRedriven({ redriveExecutionId }: DeadLetterState): CommandError {
  const by =
    redriveExecutionId === null
      ? 'an execution that is no longer kept'
      : encodePublicId('Execution', redriveExecutionId);
  return conflict(`The execution was run again already, as ${by}; retry that one if it failed too.`);
}

function conflict(message: string): CommandError {
  return { kind: 'ConflictError', message, path: ['id'] };
}
