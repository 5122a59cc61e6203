import type { CommandResult } from '../../../commands/command-result.ts';
import { REASON_LIMIT } from '../../../domain/execution/execution-limits.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { EXECUTION_NOT_FOUND, JOB_NOT_FOUND } from '../shared/error-texts.ts';
import { ExecutionPayload, type ExecutionPayloadShape } from '../shared/payloads.ts';

const INPUT = 'What to do.';
const REASON_ERROR = 'ValidationError where `reason` is too long';
const ID = 'The execution’s id.';
const REASON = `Why, for its history and the audit log, up to ${REASON_LIMIT.max} characters.`;

const CancelExecutionInput = builder.inputType('CancelExecutionInput', {
  description: 'Which execution to take back.',
  fields: (t) => ({
    id: t.id({ required: true, description: ID }),
    reason: t.string({ description: REASON }),
  }),
});

const RetryExecutionInput = builder.inputType('RetryExecutionInput', {
  description: 'Which execution to run again.',
  fields: (t) => ({ id: t.id({ required: true, description: ID }) }),
});

const SkipRunInput = builder.inputType('SkipRunInput', {
  description: 'Which run of a job to leave out.',
  fields: (t) => ({
    jobId: t.id({ required: true, description: 'The job’s id.' }),
    scheduledAt: t.field({
      type: 'DateTime',
      required: true,
      description: 'A future slot of the job, to the millisecond, as `upcomingRuns` gives them.',
    }),
    reason: t.string({ description: REASON }),
  }),
});

builder.mutationFields((t) => ({
  cancelExecution: t.field({
    authScopes: needs('OPERATOR'),
    type: ExecutionPayload,
    description: `Takes an execution back. One that waits is CANCELLED at once; of one that is RUNNING the call is aborted within 2 seconds, whichever instance makes it, and then it is CANCELLED, unless the call ended first. Repeating changes nothing. ${EXECUTION_NOT_FOUND}; ConflictError where it ended otherwise; ${REASON_ERROR}.`,
    args: { input: t.arg({ type: CancelExecutionInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      payloadOf(await commands.cancelExecution(caller, input)),
  }),
  retryExecution: t.field({
    authScopes: needs('OPERATOR'),
    type: ExecutionPayload,
    description: `Runs a finished execution again: a new execution of the same job with the same slot and body, trigger REDRIVE. Of a FAILED one whose dead letter is open this is its redrive, and happens once: who asks again gets a ConflictError that names the new execution. ConflictError also where it is not finished, or its job was deleted; ${EXECUTION_NOT_FOUND}.`,
    args: { input: t.arg({ type: RetryExecutionInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      payloadOf(await commands.retryExecution(caller, input)),
  }),
  skipRun: t.field({
    authScopes: needs('OPERATOR'),
    type: ExecutionPayload,
    description: `Leaves out one future slot of an active or paused job: it becomes a SKIPPED execution with reason OPERATOR, recorded at once, and is no longer among \`upcomingRuns\`. It stays left out when the schedule is changed. Repeating changes nothing. ValidationError with the nearest slots where the instant is none; ${REASON_ERROR}; ${JOB_NOT_FOUND}; ConflictError where it is COMPLETED, or the slot has become an execution already.`,
    args: { input: t.arg({ type: SkipRunInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      payloadOf(await commands.skipRun(caller, input)),
  }),
}));

function payloadOf(result: CommandResult<{ executionId: string }>): ExecutionPayloadShape {
  return result.ok
    ? { executionId: result.value.executionId, errors: [] }
    : { executionId: null, errors: result.errors };
}
