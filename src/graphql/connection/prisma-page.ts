import type { GraphQLResolveInfo } from 'graphql';
import type { GraphqlContext } from '../context.ts';
import type { PrismaWhere } from '../filters/prisma-where.ts';
import { rowSelection } from '../row-selection.ts';
import { orderByOf } from './keyset.ts';
import { mergeRows } from './merge-rows.ts';
import type { Ordering } from './ordering.ts';
import { type Page, pageOf, type ConnectionRequest } from './page.ts';

/** A page of rows that Pothos reads from tables. The total is counted only when it is asked for. */
export interface CountedPage<Row> extends Page<Row> {
  totalCount: () => Promise<number>;
}

/** Where the rows of a connection lie within its selection. */
const ROW_PATHS = [['nodes'], ['edges', 'node']];

/** Prisma's `select` for the rows of a connection: what the client asked of them, and their place in the ordering. */
export function selectionOfRows(
  context: GraphqlContext,
  info: GraphQLResolveInfo,
  ordering: Ordering,
): Record<string, unknown> {
  const columns = Object.fromEntries(ordering.map(({ column }) => [column, true as const]));
  return rowSelection(context, info, columns, ROW_PATHS);
}

/**
 * Reads a page.
 *
 * @param filter the connection's own `where`; the page's bounds are added to it
 */
export async function readPage<Row extends object>(
  request: ConnectionRequest,
  filter: PrismaWhere,
  source: {
    select: Record<string, unknown>;
    find: (query: Record<string, unknown>) => Promise<Row[]>;
    count: (where: PrismaWhere) => Promise<number>;
  },
): Promise<CountedPage<Row>> {
  const { where, stretches, take } = request.query;
  const isReversed = request.pageSize.from === 'end';
  const rows: Row[] = [];
  for (const { sets, ordering } of stretches) {
    const lacking = take - rows.length;
    if (lacking <= 0) break;
    const found: Row[][] = [];
    for (const set of sets)
      found.push(
        await source.find({
          select: source.select,
          where: { AND: [filter, where, set] },
          orderBy: orderByOf(ordering, isReversed),
          take: lacking,
        }),
      );
    rows.push(...mergeRows(found, ordering, isReversed).slice(0, lacking));
  }
  return { totalCount: () => source.count(filter), ...pageOf(request, rows) };
}
