import { listOf } from '../../answer-sizes.ts';
import type { CommandError } from '../../../commands/command-result.ts';
import { UPSERT_LIMITS } from '../../../commands/jobs/upsert-errors.ts';
import { MAX_UPSERT_ATTEMPTS } from '../../../commands/jobs/upsert-jobs.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { DEFINITION_ERRORS } from '../shared/error-texts.ts';
import { Job } from './job.ts';
import { CreateJobInput } from './job-inputs.ts';
import { MutationError } from '../shared/mutation-errors.ts';
import { JobPayload, jobPayloadOf } from '../shared/payloads.ts';

const RULE =
  'A job that exists becomes what creating it anew would make, but for `status` and `tags` where they are left out, and for secrets that are written as `***`: these stay. What is as it should be is left alone, so that the same input twice changes nothing.';

const ERRORS = `${DEFINITION_ERRORS}; ConflictError where others take the key anew at each of ${MAX_UPSERT_ATTEMPTS} tries`;

const UpsertJobsInput = builder.inputType('UpsertJobsInput', {
  description: 'Jobs as they are to be.',
  fields: (t) => ({
    jobs: t.field({
      extensions: listOf(1_000),
      type: [CreateJobInput],
      required: true,
      description: `The jobs, ${UPSERT_LIMITS.jobs} at most, each with a key of its own.`,
    }),
  }),
});

interface UpsertJobsPayloadShape {
  jobIds: string[];
  createdCount: number;
  changedCount: number;
  unchangedCount: number;
  errors: CommandError[];
}

const UpsertJobsPayload = builder.objectRef<UpsertJobsPayloadShape>('UpsertJobsPayload').implement({
  description: 'What became of jobs that were to be as the input says.',
  fields: (t) => ({
    jobs: t.prismaField({
      type: [Job],
      description: 'The jobs as they are now, in the order of the input; empty where there are errors.',
      resolve: async (query, { jobIds }, _args, { prisma }) => {
        const rows = await prisma.job.findMany({ ...query, where: { id: { in: jobIds } } });
        const place = new Map(jobIds.map((id, index) => [id, index]));
        return rows.toSorted((a, b) => (place.get(a.id) ?? 0) - (place.get(b.id) ?? 0));
      },
    }),
    createdCount: t.exposeInt('createdCount', { description: 'How many did not exist before.' }),
    changedCount: t.exposeInt('changedCount', { description: 'How many were changed.' }),
    unchangedCount: t.exposeInt('unchangedCount', { description: 'How many were so already.' }),
    errors: t.expose('errors', {
      type: [MutationError],
      description: `Why nothing was done; empty where it was. Their paths begin with input, jobs and the job’s index, such as ["input", "jobs", "3", "schedule"]. After ${UPSERT_LIMITS.errors} errors no further job’s are told.`,
    }),
  }),
});

builder.mutationFields((t) => ({
  upsertJob: t.field({
    authScopes: needs('EDITOR'),
    type: JobPayload,
    description: `Creates or changes the job that bears the input’s key; the key must be given. ${RULE} ${ERRORS}.`,
    args: {
      input: t.arg({ type: CreateJobInput, required: true, description: 'The job as it is to be.' }),
    },
    resolve: async (_root, { input }, { commands, caller }) =>
      jobPayloadOf(await commands.upsertJob(caller, input)),
  }),
  upsertJobs: t.field({
    authScopes: needs('EDITOR'),
    type: UpsertJobsPayload,
    description: `The same for up to ${UPSERT_LIMITS.jobs} jobs, all or none of them in one transaction. Jobs that are not in the list stay as they are. The same errors, of any of the jobs; ValidationError also where there are more, or two have one key.`,
    args: {
      input: t.arg({ type: UpsertJobsInput, required: true, description: 'The jobs as they are to be.' }),
    },
    resolve: async (_root, { input }, { commands, caller }) => {
      const result = await commands.upsertJobs(caller, input);
      if (!result.ok) {
        return { jobIds: [], createdCount: 0, changedCount: 0, unchangedCount: 0, errors: result.errors };
      }
      const { jobs, ...counts } = result.value;
      return { jobIds: jobs.map(({ id }) => id), ...counts, errors: [] };
    },
  }),
}));
