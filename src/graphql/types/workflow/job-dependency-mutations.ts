import type { CommandError } from '../../../commands/command-result.ts';
import { MAX_DEPENDENCIES } from '../../../domain/workflow/dependency.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { JOB_NOT_FOUND } from '../shared/error-texts.ts';
import { DependencyCondition, JobDependency } from './job-dependency.ts';
import { MutationError } from '../shared/mutation-errors.ts';
import { JobPayload, jobPayloadOf } from '../shared/payloads.ts';

const INPUT = 'What to do.';
const JOB_ID = 'The job that waits.';
const DEPENDS_ON_ID = 'The job that it waits for.';

const AddJobDependencyInput = builder.inputType('AddJobDependencyInput', {
  description: 'Which job waits for which.',
  fields: (t) => ({
    jobId: t.id({ required: true, description: JOB_ID }),
    dependsOnId: t.id({ required: true, description: DEPENDS_ON_ID }),
    condition: t.field({
      type: DependencyCondition,
      defaultValue: 'ON_SUCCESS',
      description: 'How that job’s run must end.',
    }),
  }),
});

const RemoveJobDependencyInput = builder.inputType('RemoveJobDependencyInput', {
  description: 'Which job waits for which no longer.',
  fields: (t) => ({
    jobId: t.id({ required: true, description: JOB_ID }),
    dependsOnId: t.id({ required: true, description: DEPENDS_ON_ID }),
  }),
});

const JobDependencyPayload = builder
  .objectRef<{ dependencyId: string | null; errors: CommandError[] }>('JobDependencyPayload')
  .implement({
    description: 'What became of a dependency.',
    fields: (t) => ({
      dependency: t.prismaField({
        type: JobDependency,
        nullable: true,
        description: 'The dependency; null where there are errors.',
        resolve: (query, { dependencyId }, _args, { prisma }) =>
          dependencyId === null
            ? null
            : prisma.jobDependency.findUnique({ ...query, where: { id: dependencyId } }),
      }),
      errors: t.expose('errors', {
        type: [MutationError],
        description: 'Why nothing was done; empty where it was.',
      }),
    }),
  });

builder.mutationFields((t) => ({
  addJobDependency: t.field({
    authScopes: needs('EDITOR'),
    type: JobDependencyPayload,
    description: `Lets a job wait for another, from the next end on; a job may wait for ${MAX_DEPENDENCIES} others. What is there already is answered as it is. ${JOB_NOT_FOUND}, of either; ConflictError where it waits for that one under another condition; CyclicDependencyError where it would come to wait for itself; ValidationError where it waits for ${MAX_DEPENDENCIES} already.`,
    args: { input: t.arg({ type: AddJobDependencyInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) => {
      const result = await commands.addJobDependency(caller, input);
      return result.ok
        ? { dependencyId: result.value.dependencyId, errors: [] }
        : { dependencyId: null, errors: result.errors };
    },
  }),
  removeJobDependency: t.field({
    authScopes: needs('EDITOR'),
    type: JobPayload,
    description: `Lets a job wait for another no longer. This by itself runs nothing. ${JOB_NOT_FOUND}, and where it does not wait for that one.`,
    args: { input: t.arg({ type: RemoveJobDependencyInput, required: true, description: INPUT }) },
    resolve: async (_root, { input }, { commands, caller }) =>
      jobPayloadOf(await commands.removeJobDependency(caller, input)),
  }),
}));
