import type { GraphQLResolveInfo } from 'graphql';
import type { JobExecution, Prisma } from '../../generated/prisma/client.ts';
import { builder } from '../builder.ts';
import { readOrdering, type OrderInput } from '../connection/ordering.ts';
import { pageOf, type PageRequest, requestPage } from '../connection/page.ts';
import type { PageArgs } from '../connection/page-args.ts';
import { type CountedPage, readPage, selectionOfRows } from '../connection/prisma-page.ts';
import type { GraphqlContext } from '../context.ts';
import { executionsMatching, readExecutionWhere } from '../filters/execution-where.ts';
import { isUnfiltered, type WhereInput } from '../filters/read-where.ts';
import { Execution } from './execution.ts';
import { EXECUTION_SORT_COLUMNS, ID_COLUMN, NEWEST_FIRST } from './order-inputs.ts';

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
 * A page of one job's executions, which may be one of many jobs in the same answer. The newest ones, unfiltered, are
 * read for all jobs at once; any other page costs a statement per job, which no SQL can put into one.
 */
export async function executionPageOfJob(
  jobId: string,
  args: ExecutionListArgs,
  context: GraphqlContext,
  info: GraphQLResolveInfo,
): Promise<CountedPage<JobExecution>> {
  const request = requestExecutions(args);
  const select = selectionOfRows(context, info, request.ordering);
  const where = await executionsMatching(readExecutionWhere(args.where), context);
  const totalCount = () => context.jobHistory.counts.load({ jobId, where });
  if (isNewestPage(args)) {
    const ids = await context.jobHistory.latestIds.load({ jobId, limit: request.query.take });
    const rows = await Promise.all(ids.map((id) => context.executionLoader.load({ id, select })));
    return { ...newestPage(request, rows), totalCount };
  }
  const { jobExecution } = context.prisma;
  const page = await readPage(
    request,
    { AND: [{ jobId }, where] },
    {
      select,
      find: (query) => jobExecution.findMany(query as Prisma.JobExecutionFindManyArgs),
      count: totalCount,
    },
  );
  return { ...page, totalCount };
}

function requestExecutions(args: ExecutionListArgs): PageRequest {
  return requestPage(readOrdering(args.orderBy, EXECUTION_SORT_COLUMNS, NEWEST_FIRST, ID_COLUMN), args);
}

function isNewestPage({ where, orderBy, after, before, last }: ExecutionListArgs): boolean {
  const isDefault = (value: unknown) => value === null || value === undefined;
  return [where, orderBy, after, before, last].every(isDefault);
}

/** An execution that was pruned between the two reads is left out. */
function newestPage(
  request: PageRequest,
  rows: readonly (object | null)[],
): ReturnType<typeof pageOf<JobExecution>> {
  return pageOf(request, rows.filter((row) => row !== null) as JobExecution[]);
}
