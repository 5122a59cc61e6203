import { roleIncludes } from '../../../domain/access/role.ts';
import { builder } from '../../builder.ts';
import { forbidden, needs } from '../../roles.ts';
import {
  DEFINITION_ERRORS,
  JOB_COMPLETED,
  JOB_NOT_FOUND,
  KEY_TAKEN,
  VERSION_CONFLICT,
} from '../shared/error-texts.ts';
import {
  CreateJobInput,
  DeleteJobInput,
  PauseJobInput,
  ResumeJobInput,
  TriggerJobInput,
  UpdateJobInput,
} from './job-inputs.ts';
import { ExecutionPayload, JobPayload, jobPayloadOf } from '../shared/payloads.ts';

const INPUT = 'What to do.';

builder.mutationFields((t) => ({
  createJob: t.field({
    authScopes: needs('EDITOR'),
    type: JobPayload,
    description: `Creates a job. Its first run is the first slot after now, or \`runAt\`. ${DEFINITION_ERRORS}; ${KEY_TAKEN}.`,
    args: { input: t.arg({ type: CreateJobInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      jobPayloadOf(await commands.createJob(caller, input)),
  }),
  updateJob: t.field({
    authScopes: needs('EDITOR'),
    type: JobPayload,
    description: `Changes a job. A change of when it runs counts from now, and makes a COMPLETED job ACTIVE again; one that changes nothing leaves the version as it is. ${JOB_NOT_FOUND}; ${VERSION_CONFLICT}; ${DEFINITION_ERRORS}; ${KEY_TAKEN}.`,
    args: { input: t.arg({ type: UpdateJobInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      jobPayloadOf(await commands.updateJob(caller, input)),
  }),
  deleteJob: t.field({
    authScopes: needs('EDITOR'),
    type: JobPayload,
    description: `Deletes a job. Executions that wait are cancelled and running ones are asked to stop; its history stays until retention prunes it. ${JOB_NOT_FOUND}; ${VERSION_CONFLICT}.`,
    args: { input: t.arg({ type: DeleteJobInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      jobPayloadOf(await commands.deleteJob(caller, input)),
  }),
  pauseJob: t.field({
    authScopes: needs('OPERATOR'),
    type: JobPayload,
    description: `Stops a job’s schedule. Executions that were planned and not yet started are cancelled; what runs, runs on. ${JOB_NOT_FOUND}; ${JOB_COMPLETED}, and no run of it waits to start; ValidationError where \`reason\` or \`until\` is not what it may be.`,
    args: { input: t.arg({ type: PauseJobInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      jobPayloadOf(await commands.pauseJob(caller, input)),
  }),
  resumeJob: t.field({
    authScopes: needs('OPERATOR'),
    type: JobPayload,
    description: `Takes a paused job up again from its next slot on; what passed meanwhile is not replayed. Changes nothing where the job is ACTIVE. ${JOB_NOT_FOUND}; ${JOB_COMPLETED}.`,
    args: { input: t.arg({ type: ResumeJobInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      jobPayloadOf(await commands.resumeJob(caller, input)),
  }),
  triggerJob: t.field({
    authScopes: needs('OPERATOR'),
    type: ExecutionPayload,
    description: `Runs a job now, beside its schedule, also while it is paused or COMPLETED. A run that its concurrency policy leaves out is recorded as SKIPPED. With a \`body\` of its own it needs the role EDITOR. ${JOB_NOT_FOUND}; ValidationError where \`body\` or \`idempotencyKey\` is not what it may be.`,
    args: { input: t.arg({ type: TriggerJobInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller, viewer }) => {
      if (input.body !== undefined && input.body !== null && !roleIncludes(viewer.role, 'EDITOR')) {
        throw forbidden('Mutation.triggerJob with a body', 'EDITOR', viewer);
      }
      const result = await commands.triggerJob(caller, input);
      return result.ok
        ? { executionId: result.value.executionId, errors: [] }
        : { executionId: null, errors: result.errors };
    },
  }),
}));
