import type { GraphQLResolveInfo } from 'graphql';
import type { JobExecution, Prisma } from '../../../generated/prisma/client.ts';
import { builder } from '../../builder.ts';
import { type OrderInput, readOrdering } from '../../connection/ordering.ts';
import { pageOf, type ConnectionRequest, requestPage } from '../../connection/page.ts';
import { askedPage } from '../../connection/asked-page.ts';
import type { PageArgs } from '../../connection/page-args.ts';
import { type CountedPage, readPage, selectionOfRows } from '../../connection/prisma-page.ts';
import type { GraphqlContext } from '../../context.ts';
import { executionsMatching, readExecutionWhere } from '../../filters/execution-where.ts';
import { isUnfiltered, type WhereInput } from '../../filters/read-where.ts';
import { Execution } from './execution.ts';
import { EXECUTION_SORT_COLUMNS, ID_COLUMN, NEWEST_FIRST } from '../shared/order-inputs.ts';

export const ExecutionConnection = builder.connectionObject(
  {
    type: Execution,
    name: 'ExecutionConnection',
    description: 'A page of a list of executions.',
  },
  { name: 'ExecutionEdge', description: 'An execution of a page.' },
);

export interface ExecutionListArgs extends PageArgs {
  where?: WhereInput | null | undefined;
  orderBy?: readonly OrderInput<keyof typeof EXECUTION_SORT_COLUMNS>[] | null | undefined;
}

/** A page of all executions. */
export async function executionPage(
  args: ExecutionListArgs,
  context: GraphqlContext,
  info: GraphQLResolveInfo,
): Promise<CountedPage<JobExecution>> {
  const request = requestExecutions(args);
  const { jobExecution } = context.prisma;
  const where = await executionsMatching(readExecutionWhere(args.where), context);
  return readPage(request, where, {
    select: selectionOfRows(context, info, request.ordering),
    find: (query) => jobExecution.findMany(query as Prisma.JobExecutionFindManyArgs),
    count: (counted) =>
      isUnfiltered(args.where) ? context.keptCounts.executions() : jobExecution.count({ where: counted }),
  });
}

/**
 * A page of one job's executions, which may be one of many jobs in the same answer: they are read for all jobs at once, and so
 * are the totals. No index has a job's executions in another order than that of their creation: the others are sorted.
 */
export async function executionPageOfJob(
  jobId: string,
  args: ExecutionListArgs,
  context: GraphqlContext,
  info: GraphQLResolveInfo,
): Promise<CountedPage<JobExecution>> {
  const request = requestExecutions(args);
  const select = selectionOfRows(context, info, request.ordering);
  const condition = readExecutionWhere(args.where);
  const where = await executionsMatching(condition, context);
  const totalCount = () => context.jobHistory.counts.load({ jobId, where });
  const asked = { condition, ...askedPage(request) };
  const { rows, hasMore } = await context.jobHistory.executions.load({ jobId, ...asked, where, select });
  return { totalCount, ...pageOf(request, rows as unknown as JobExecution[], hasMore) };
}

function requestExecutions(args: ExecutionListArgs): ConnectionRequest {
  return requestPage(readOrdering(args.orderBy, EXECUTION_SORT_COLUMNS, NEWEST_FIRST, ID_COLUMN), args);
}
