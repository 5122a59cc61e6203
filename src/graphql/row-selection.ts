import { queryFromInfo } from '@pothos/plugin-prisma';
import type { FieldNode, GraphQLResolveInfo } from 'graphql';
import type { GraphqlContext } from './context.ts';

/** By the nodes of a field, an array that graphql-js makes once for all rows of a list, and anew for each operation. */
const selectionsOfColumns = new WeakMap<readonly FieldNode[], Record<string, unknown>>();

/**
 * Prisma's `select` for the rows that a field answers with: what the client asked of them, and `columns`. To be asked for
 * each row that the field is resolved of: Pothos notes where the answer's rows come from, and what was not noted is read a
 * second time. Columns alone need no note, see `columns-at-hand.ts`; for them, all rows of a list share one selection.
 *
 * @param paths where the rows lie within the field's own selection
 */
export function rowSelection(
  context: GraphqlContext,
  info: GraphQLResolveInfo,
  columns: Record<string, true>,
  paths?: string[][],
): Record<string, unknown> {
  const known = selectionsOfColumns.get(info.fieldNodes);
  if (known) return known;
  const { select } = queryFromInfo({ context, info, select: columns, ...(paths && { paths }) });
  if (Object.values<unknown>(select).every((selected) => selected === true))
    selectionsOfColumns.set(info.fieldNodes, select);
  return select;
}
