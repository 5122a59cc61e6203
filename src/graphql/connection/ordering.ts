import { badArgument } from '../errors.ts';
import type { PrismaWhere } from '../filters/prisma-where.ts';

/** A column that rows may be sorted by. */
export interface SortColumn {
  column: string;
  type: 'instant' | 'text' | 'id' | 'position';
  nullable: boolean;
  /**
   * Where no index holds all rows in this order: sets of rows, all of them together, that are read one after the other and
   * merged. A row may go over from an earlier set to a later one meanwhile, never back. For instants only, which are
   * compared here as the database compares them.
   */
  sets?: readonly PrismaWhere[];
}

/** One step of an ordering. */
export interface SortKey extends SortColumn {
  /** What the API calls it; part of the cursors' signature. */
  name: string;
  direction: 'asc' | 'desc';
}

/** Sort keys, the last of which tells any two rows apart. Nulls come last in either direction. */
export type Ordering = readonly SortKey[];

/** One entry of an `orderBy` list. */
export interface OrderInput<Field extends string> {
  field: Field;
  direction: 'ASC' | 'DESC';
}

/** More keys than this cannot change an order that a person could follow. */
const MAX_ORDER_KEYS = 4;

/**
 * Makes an ordering of an `orderBy` list; `tieBreak` orders rows that are equal by it, in the direction of
 * the last key, so that an index over both can be walked.
 *
 * @throws GraphQLError BAD_USER_INPUT where the list is too long or names a field twice
 */
export function readOrdering<Field extends string>(
  orderBy: readonly OrderInput<Field>[] | null | undefined,
  columns: Readonly<Record<Field, SortColumn>>,
  fallback: OrderInput<Field>,
  tieBreak: SortColumn,
): Ordering {
  const entries = orderBy && orderBy.length > 0 ? orderBy : [fallback];
  if (entries.length > MAX_ORDER_KEYS)
    throw badArgument('orderBy', `allows ${MAX_ORDER_KEYS} fields at most.`);
  if (new Set(entries.map(({ field }) => field)).size < entries.length) {
    throw badArgument('orderBy', 'names a field twice.');
  }
  const keys = entries.map(({ field, direction }): SortKey => ({
    ...columns[field],
    name: field,
    direction: direction === 'ASC' ? 'asc' : 'desc',
  }));
  return [...keys, { ...tieBreak, name: 'ID', direction: keys.at(-1)?.direction ?? 'asc' }];
}

/** Names an ordering, to bind cursors to it. */
export function signatureOf(ordering: Ordering): string {
  return ordering.map(({ name, direction }) => `${name} ${direction}`).join(', ');
}
