import { type CommandResult, failWith, validationError } from '../../../commands/command-result.ts';
import type { BulkJobsInput as BulkJobs, BulkOutcome } from '../../../commands/jobs/job-chunks.ts';
import { LARGEST_CHUNK, BULK_LIMITS } from '../../../commands/jobs/job-chunks.ts';
import type { PauseFacts } from '../../../commands/jobs/pause-job.ts';
import { JOB_LIMITS } from '../../../domain/job/job-limits.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import type { GraphqlContext } from '../../context.ts';
import { jobSelection } from '../../filters/job-where.ts';
import { BulkPayload, bulkPayloadOf } from '../shared/bulk-payload.ts';
import { JobWhere } from '../shared/filter-inputs.ts';

const INPUT = 'Which ones.';
const CHUNKS = `In transactions of up to ${LARGEST_CHUNK} jobs, each job with its audit entry and event: a call that breaks off is repeated to go on with the rest.`;
const ERRORS =
  'ValidationError where `where` or `limit` is not what it may be, or `reason` or `until` is given.';

const BulkJobsInput = builder.inputType('BulkJobsInput', {
  description: 'Which jobs to change.',
  fields: (t) => ({
    where: t.field({
      type: JobWhere,
      required: true,
      description: 'Those that it selects, oldest first; {} selects all that are not deleted.',
    }),
    limit: t.int({
      defaultValue: BULK_LIMITS.defaultLimit,
      description: `No more than so many, ${BULK_LIMITS.limit.min} to ${BULK_LIMITS.limit.max}.`,
    }),
    reason: t.string({
      description: `For \`pauseJobs\` only: why, for others to read, up to ${JOB_LIMITS.pauseReason.max} characters.`,
    }),
    until: t.field({
      type: 'DateTime',
      description:
        'For `pauseJobs` only: when the jobs go on by themselves, in the future, each with its first slot behind it; null: when somebody resumes them.',
    }),
  }),
});

builder.mutationFields((t) => ({
  pauseJobs: t.field({
    authScopes: needs('OPERATOR'),
    type: BulkPayload,
    description: `Pauses those of the selected jobs that are ACTIVE, or COMPLETED with a last run that waits to start. ${CHUNKS} ValidationError where \`where\`, \`limit\`, \`reason\` or \`until\` is not what it may be.`,
    args: { input: t.arg({ type: BulkJobsInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, context) =>
      bulkPayloadOf(
        await ofSelected(input, context, (jobs) =>
          context.commands.pauseJobs(context.caller, { ...jobs, ...pauseFactsOf(input) }),
        ),
      ),
  }),
  resumeJobs: t.field({
    authScopes: needs('OPERATOR'),
    type: BulkPayload,
    description: `Resumes those of the selected jobs that are PAUSED, each from its next slot on. ${CHUNKS} ${ERRORS}`,
    args: { input: t.arg({ type: BulkJobsInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, context) =>
      bulkPayloadOf(
        refusePauseFacts(input) ??
          (await ofSelected(input, context, (jobs) => context.commands.resumeJobs(context.caller, jobs))),
      ),
  }),
  triggerJobs: t.field({
    authScopes: needs('OPERATOR'),
    type: BulkPayload,
    description: `Runs each of the selected jobs now, beside its schedule, also while it is paused. A run that its job’s concurrency policy leaves out is recorded as SKIPPED, and counts. ${CHUNKS} Other than the rest, it runs those again that it ran before. ${ERRORS}`,
    args: { input: t.arg({ type: BulkJobsInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, context) =>
      bulkPayloadOf(
        refusePauseFacts(input) ??
          (await ofSelected(input, context, (jobs) => context.commands.triggerJobs(context.caller, jobs))),
      ),
  }),
  deleteJobs: t.field({
    authScopes: needs('EDITOR'),
    type: BulkPayload,
    description: `Deletes the selected jobs, each as \`deleteJob\` does. ${CHUNKS} ${ERRORS}`,
    args: { input: t.arg({ type: BulkJobsInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, context) =>
      bulkPayloadOf(
        refusePauseFacts(input) ??
          (await ofSelected(input, context, (jobs) => context.commands.deleteJobs(context.caller, jobs))),
      ),
  }),
}));

type BulkInput = typeof BulkJobsInput.$inferInput;

function pauseFactsOf({ reason, until }: BulkInput): PauseFacts {
  return { reason, until };
}

/** Whoever gives a reason to delete jobs is not to believe that it was written down. */
function refusePauseFacts(input: BulkInput): ReturnType<typeof failWith> | null {
  const given = Object.entries(pauseFactsOf(input)).filter(
    ([, value]) => value !== null && value !== undefined,
  );
  const issues = given.map(([name]) => ({ path: [name], message: 'Is for pauseJobs only.' }));
  return issues.length > 0 ? failWith(validationError(issues)) : null;
}

/** Runs a command on the jobs that are selected, unless the filter is refused. */
async function ofSelected(
  { where, limit }: BulkInput,
  context: GraphqlContext,
  command: (input: BulkJobs) => Promise<CommandResult<BulkOutcome>>,
): Promise<CommandResult<BulkOutcome>> {
  const jobs = jobSelection(where, context);
  return jobs.ok ? command({ jobs: jobs.value, limit }) : jobs;
}
