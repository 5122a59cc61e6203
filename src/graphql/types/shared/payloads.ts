import type { CommandError, CommandResult } from '../../../commands/command-result.ts';
import { builder } from '../../builder.ts';
import { MutationError } from './mutation-errors.ts';

const ERRORS = 'Why nothing was done; empty where it was.';

/** What a mutation on a job came to, with the row's id where there is a job to show. */
export interface JobPayloadShape {
  jobId: string | null;
  errors: CommandError[];
}

/** The payload of a command that answers with a job. */
export function jobPayloadOf(result: CommandResult<{ id: string }>): JobPayloadShape {
  return result.ok ? { jobId: result.value.id, errors: [] } : { jobId: null, errors: result.errors };
}

export const JobPayload = builder.objectRef<JobPayloadShape>('JobPayload').implement({
  description: 'What became of a job.',
  fields: (t) => ({
    job: t.prismaField({
      type: 'Job',
      nullable: true,
      description: 'The job as it is now; null where there are errors.',
      resolve: (query, { jobId }, _args, { prisma }) =>
        rowOf(jobId, query, (id) => prisma.job.findUnique({ ...query, where: { id } })),
    }),
    errors: t.expose('errors', { type: [MutationError], description: ERRORS }),
  }),
});

/** The same for an execution. */
export interface ExecutionPayloadShape {
  executionId: string | null;
  errors: CommandError[];
}

export const ExecutionPayload = builder.objectRef<ExecutionPayloadShape>('ExecutionPayload').implement({
  description: 'What became of an execution.',
  fields: (t) => ({
    execution: t.prismaField({
      type: 'JobExecution',
      nullable: true,
      description: 'The execution as it is now; null where there are errors.',
      resolve: (query, { executionId }, _args, { prisma }) =>
        rowOf(executionId, query, (id) => prisma.jobExecution.findUnique({ ...query, where: { id } })),
    }),
    errors: t.expose('errors', { type: [MutationError], description: ERRORS }),
  }),
});

/** The row that a payload shows. Whoever asks for its id alone is answered without a look at the database. */
async function rowOf<Row extends { id: string }>(
  id: string | null,
  { select }: { select?: object },
  read: (id: string) => PromiseLike<Row | null>,
): Promise<Row | null> {
  if (id === null) return null;
  const isIdAlone = select !== undefined && Object.keys(select).every((column) => column === 'id');
  // No resolver reads what is not in the selection.
  return isIdAlone ? ({ id } as Row) : read(id);
}
