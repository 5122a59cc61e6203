import { queryFromInfo } from '@pothos/plugin-prisma';
import type { FailureGroup as FailureGroupShape } from '../../../domain/metrics/metrics.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { badArgument, clientError } from '../../errors.ts';
import { readExecutionWhere } from '../../filters/execution-where.ts';
import { readWholeNumber } from '../../whole-number.ts';
import { BAD_ARGUMENT, EXECUTION_NOT_KEPT, JOB_NOT_KEPT } from '../shared/error-texts.ts';
import { FailureReason } from './execution-enums.ts';
import { Execution } from './execution.ts';
import { ExecutionWhere } from '../shared/filter-inputs.ts';
import { Job } from '../jobs/job.ts';

const DEFAULT_GROUPS = 50;
const MAX_GROUPS = 500;

const FailureGroup = builder.objectRef<FailureGroupShape>('FailureGroup').implement({
  description: 'Executions of one job that failed for good for the same reason and with the same status.',
  fields: (t) => ({
    job: t.field({
      type: Job,
      description: `Whose executions they are. ${JOB_NOT_KEPT}.`,
      resolve: async ({ jobId }, _args, context, info) => {
        const { select } = queryFromInfo({ context, info, select: { id: true } });
        const job = await context.jobLoader.load({ id: jobId, select });
        if (job === null) throw clientError('NOT_FOUND', 'The job is no longer kept.');
        return job;
      },
    }),
    failureReason: t.expose('failureReason', { type: FailureReason, description: 'Why they failed.' }),
    responseStatus: t.exposeInt('responseStatus', {
      nullable: true,
      description: 'HTTP status of their last answer; null where there was none.',
    }),
    count: t.exposeInt('count', { description: 'How many they are.' }),
    firstAt: t.expose('firstAt', { type: 'DateTime', description: 'When the first of them failed.' }),
    lastAt: t.expose('lastAt', { type: 'DateTime', description: 'When the last of them failed.' }),
    sample: t.field({
      type: Execution,
      description: `The last of them. ${EXECUTION_NOT_KEPT}.`,
      resolve: async ({ sampleId }, _args, context, info) => {
        const { select } = queryFromInfo({ context, info, select: { id: true } });
        const execution = await context.executionLoader.load({ id: sampleId, select });
        if (execution === null) throw clientError('NOT_FOUND', 'The execution is no longer kept.');
        return execution;
      },
    }),
  }),
});

builder.queryField('failureGroups', (t) =>
  t.field({
    authScopes: needs('VIEWER'),
    type: [FailureGroup],
    description: `Executions that failed for good since an instant, grouped by job, reason and status, the largest group first. Only what is still kept counts. ${BAD_ARGUMENT}, or where reading takes too long.`,
    args: {
      since: t.arg({ type: 'DateTime', required: true, description: 'Only what failed at or after it.' }),
      where: t.arg({ type: ExecutionWhere, description: 'Only these.' }),
      openDeadLettersOnly: t.arg.boolean({
        defaultValue: false,
        description: 'Only what nobody has redriven or discarded.',
      }),
      limit: t.arg.int({
        defaultValue: DEFAULT_GROUPS,
        description: `Groups at most, 1 to ${MAX_GROUPS}.`,
      }),
    },
    resolve: async (_root, { since, where, openDeadLettersOnly, limit }, { metrics }) => {
      const asked = {
        since,
        openDeadLettersOnly: openDeadLettersOnly ?? false,
        limit: readWholeNumber('limit', limit, { min: 1, max: MAX_GROUPS, fallback: DEFAULT_GROUPS }),
      };
      const groups = await metrics.failureGroups(asked, readExecutionWhere(where));
      if (groups === null)
        throw badArgument('since', 'there are too many failures to group; begin later, or select fewer.');
      return groups;
    },
  }),
);
