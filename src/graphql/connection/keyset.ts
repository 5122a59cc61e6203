import type { PrismaWhere } from '../filters/prisma-where.ts';
import type { Ordering, SortKey } from './ordering.ts';
import type { Place } from '../../domain/execution/page-request.ts';

type Side = 'after' | 'before';

/**
 * The rows on one side of a place. Unlike an offset, this neither reads what it passes over nor shows a row twice
 * when others come or go meanwhile.
 */
export function rowsBeside(ordering: Ordering, place: Place, side: Side): PrismaWhere {
  const alternatives = ordering.flatMap((key, index) => {
    const beyond = beyondKey(key, place[index] ?? null, side);
    if (beyond === null) return [];
    const same = ordering
      .slice(0, index)
      .map(({ column }, earlier) => ({ [column]: place[earlier] ?? null }));
    return [{ AND: [...same, beyond] }];
  });
  return { AND: [indexBound(ordering, place, side), { OR: alternatives }] };
}

/** Rows whose key lies on that side of the value; null where there can be none. Nulls come last. */
function beyondKey(
  { column, direction, nullable }: SortKey,
  value: Place[number],
  side: Side,
): PrismaWhere | null {
  if (value === null) return side === 'after' ? null : { [column]: { not: null } };
  const isRising = (direction === 'asc') === (side === 'after');
  const beyond = { [column]: { [isRising ? 'gt' : 'lt']: value } };
  return nullable && side === 'after' ? { OR: [beyond, { [column]: null }] } : beyond;
}

/**
 * Says of the first key alone what the alternatives imply. PostgreSQL does not see it in them, and without it would
 * walk the index from its end instead of entering it at the place.
 */
function indexBound([key]: Ordering, [value]: Place, side: Side): PrismaWhere {
  if (!key || key.nullable || value === null || value === undefined) return {};
  const isRising = (key.direction === 'asc') === (side === 'after');
  return { [key.column]: { [isRising ? 'gte' : 'lte']: value } };
}

/** Prisma's `orderBy` for an ordering, or for its reverse, in which nulls come first. */
export function orderByOf(ordering: Ordering, isReversed: boolean): PrismaWhere[] {
  return ordering.map(({ column, direction, nullable }) => {
    const sort = isReversed ? (direction === 'asc' ? 'desc' : 'asc') : direction;
    return { [column]: nullable ? { sort, nulls: isReversed ? 'first' : 'last' } : sort };
  });
}

/** A part of an ordering that an index can be walked for, in the order in which its rows are read. */
export interface Stretch {
  /** Sets of rows that are read one after the other and merged; most often one. */
  sets: readonly PrismaWhere[];
  ordering: Ordering;
}

/**
 * The parts of an ordering. Rows without a first key stand behind all others, which no index says of both directions: they
 * are a part of their own, and are read only where a page reaches them.
 *
 * @param places the bounds of the page
 */
export function stretchesOf(
  ordering: Ordering,
  isReversed: boolean,
  places: readonly { place: Place; side: Side }[],
): Stretch[] {
  const [key, ...rest] = ordering;
  if (!key?.nullable) return [{ sets: [{}], ordering }];
  const { column, sets = [{}] } = key;
  // In each part the key is null everywhere or nowhere. Where it is null, the other keys still order the rows: by the others
  // alone, PostgreSQL might walk an index of all rows to find these.
  const withinPart: Ordering = [{ ...key, nullable: false }, ...rest];
  const bounds = places.map(({ place, side }) => indexBound(withinPart, place, side));
  const within = (...conditions: PrismaWhere[]) => sets.map((set) => ({ AND: [set, ...conditions] }));
  const filled: Stretch = {
    sets: within({ [column]: { not: null } }, ...bounds),
    ordering: withinPart,
  };
  const empty: Stretch = { sets: within({ [column]: null }), ordering: withinPart };
  const isAnyIn = (wanted: Side, isEmpty: boolean) =>
    places.some(({ place, side }) => side === wanted && ((place[0] ?? null) === null) === isEmpty);
  const stretches = [
    ...(isAnyIn('after', true) ? [] : [filled]),
    ...(isAnyIn('before', false) ? [] : [empty]),
  ];
  return isReversed ? stretches.reverse() : stretches;
}
