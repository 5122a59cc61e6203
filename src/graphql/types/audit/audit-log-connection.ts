import type { GraphQLResolveInfo } from 'graphql';
import type { AuditLogEntry as AuditLogEntryRow, Prisma } from '../../../generated/prisma/client.ts';
import { builder } from '../../builder.ts';
import { readOrdering, type Ordering, type SortColumn } from '../../connection/ordering.ts';
import { pageOf, requestPage } from '../../connection/page.ts';
import { askedPage } from '../../connection/asked-page.ts';
import type { PageArgs } from '../../connection/page-args.ts';
import { type CountedPage, readPage, selectionOfRows } from '../../connection/prisma-page.ts';
import type { GraphqlContext } from '../../context.ts';
import type { PrismaWhere } from '../../filters/prisma-where.ts';
import { AuditLogEntry } from './audit-log-entry.ts';
import { ID_COLUMN } from '../shared/order-inputs.ts';

export const AuditLogConnection = builder.connectionObject(
  { type: AuditLogEntry, name: 'AuditLogEntryConnection', description: 'A page of an audit log.' },
  { name: 'AuditLogEntryEdge', description: 'An entry of a page.' },
);

const AT: SortColumn = { column: 'at', type: 'instant', nullable: false };
const NEWEST_FIRST: Ordering = readOrdering(null, { AT }, { field: 'AT', direction: 'DESC' }, ID_COLUMN);

/** A page of the entries that a filter selects, newest first. */
export async function auditPage(
  filter: PrismaWhere,
  args: PageArgs,
  context: GraphqlContext,
  info: GraphQLResolveInfo,
): Promise<CountedPage<AuditLogEntryRow>> {
  const { auditLogEntry } = context.prisma;
  return readPage(requestPage(NEWEST_FIRST, args), filter, {
    select: selectionOfRows(context, info, NEWEST_FIRST),
    find: (query) => auditLogEntry.findMany(query as Prisma.AuditLogEntryFindManyArgs),
    count: (where) => auditLogEntry.count({ where }),
  });
}

/**
 * A page of one job's entries, which may be one of many jobs in the same answer: they are read for all jobs at once, and so are
 * the totals.
 */
export async function auditPageOfJob(
  jobId: string,
  args: PageArgs,
  context: GraphqlContext,
  info: GraphQLResolveInfo,
): Promise<CountedPage<AuditLogEntryRow>> {
  const totalCount = () => context.jobHistory.auditCounts.load({ jobId });
  const request = requestPage(NEWEST_FIRST, args);
  const select = selectionOfRows(context, info, NEWEST_FIRST);
  const rows = await context.jobHistory.auditEntries.load({ jobId, ...askedPage(request), select });
  return { totalCount, ...pageOf(request, rows as AuditLogEntryRow[]) };
}
