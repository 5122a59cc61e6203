import { decodePublicId } from '../../../domain/values/public-id.ts';
import { filteredPage } from '../../connection/filtered-page.ts';
import { builder } from '../../builder.ts';
import { needs } from '../../roles.ts';
import { BAD_FILTERED_LIST_ARGUMENT } from '../shared/error-texts.ts';
import { Execution } from './execution.ts';
import { ExecutionConnection, executionPage } from './execution-connection.ts';
import { ExecutionWhere } from '../shared/filter-inputs.ts';
import { ExecutionOrder } from '../shared/order-inputs.ts';

builder.queryFields((t) => ({
  execution: t.prismaField({
    authScopes: needs('VIEWER'),
    type: 'JobExecution',
    nullable: true,
    description: 'By id; null where there is none, or none any more.',
    args: { id: t.arg.id({ required: true, description: 'The execution’s id.' }) },
    resolve: (query, _root, { id }, { prisma }) => {
      const uuid = decodePublicId('Execution', id);
      return uuid === null ? null : prisma.jobExecution.findUnique({ ...query, where: { id: uuid } });
    },
  }),
  executions: t.connection(
    {
      authScopes: needs('VIEWER'),
      type: Execution,
      description: `Executions of all jobs, newest first unless \`orderBy\` says otherwise. ${BAD_FILTERED_LIST_ARGUMENT}.`,
      args: {
        where: t.arg({ type: ExecutionWhere, description: 'Only these.' }),
        orderBy: t.arg({
          type: [ExecutionOrder],
          description: 'How to sort them, first key first; 4 keys at most.',
        }),
      },
      resolve: (_root, args, context, info) =>
        filteredPage(args.where, context, executionPage(args, context, info)),
    },
    ExecutionConnection,
  ),
}));
