import type { PageRequest, Place } from '../../domain/execution/page-request.ts';

/** A column that can sort a list. */
export interface PageColumn {
  sql: string;
  type: string;
}

interface Key extends PageColumn {
  direction: 'asc' | 'desc';
  nullable: boolean;
}

type Side = 'after' | 'before';
type Parameter = (value: unknown) => string;

/** The parts of a statement that reads one page of each of many owners' lists. */
export interface PageSql {
  /** The keys as columns of the rows, for {@link order}. */
  keys: string;
  /** The order of rows that have been read. */
  order: string;
  /**
   * The reads that together give the page, each as long as the page. There are two when the first key may be null: no
   * index has nulls last in both directions.
   */
  reads: { within: string; order: string }[];
}

/** @param parameter adds a value to the statement's parameters and returns its mark */
export function pageSql(
  { order, isReversed, after, before }: PageRequest,
  columns: Readonly<Record<string, PageColumn>>,
  parameter: Parameter,
): PageSql {
  const keys = order.map(({ field, direction, nullable }): Key => {
    const column = columns[field];
    if (!column) throw new Error(`Nothing is sorted by ${field} here`);
    return { ...column, direction, nullable };
  });
  const places = [
    ...(after ? [{ side: 'after' as const, place: after }] : []),
    ...(before ? [{ side: 'before' as const, place: before }] : []),
  ];
  const read = (first: readonly string[], some: readonly Key[]) => ({
    within: [...first, ...places.map(({ place, side }) => beside(some, place, side, parameter)), 'true'].join(
      ' AND ',
    ),
    order: orderSql(some, isReversed),
  });
  const [first, ...others] = keys;
  const filled = first && [{ ...first, nullable: false }, ...others];
  return {
    keys: keys.map(({ sql }, index) => `${sql} AS key_${index}`).join(', '),
    order: orderSql(
      keys.map((key, index) => ({ ...key, sql: `key_${index}` })),
      isReversed,
    ),
    reads:
      filled && first.nullable
        ? [
            ...(isEmptyAt(after) ? [] : [read([`${first.sql} IS NOT NULL`], filled)]),
            read([`${first.sql} IS NULL`], keys),
          ]
        : [read([], keys)],
  };
}

/** Whether a place is among the rows without a first key. */
function isEmptyAt(place: Place | null): boolean {
  return place !== null && (place[0] ?? null) === null;
}

function orderSql(keys: readonly Key[], isReversed: boolean): string {
  return keys
    .map(({ sql, direction, nullable }) => {
      const isRising = (direction === 'asc') !== isReversed;
      return `${sql} ${isRising ? 'ASC' : 'DESC'}${nullable ? ` NULLS ${isReversed ? 'FIRST' : 'LAST'}` : ''}`;
    })
    .join(', ');
}

/** The condition that a row is on this side of a place. */
function beside(keys: readonly Key[], place: Place, side: Side, parameter: Parameter): string {
  const marks = keys.map(({ type }, index) => {
    const value = place[index] ?? null;
    return value === null ? null : `${parameter(value)}::${type}`;
  });
  const alternatives = keys.flatMap((key, index) => {
    const beyond = beyondKey(key, marks[index] ?? null, side);
    if (beyond === null) return [];
    const same = keys.slice(0, index).map(({ sql }, earlier) => {
      const mark = marks[earlier] ?? null;
      return mark === null ? `${sql} IS NULL` : `${sql} = ${mark}`;
    });
    return [[...same, beyond].join(' AND ')];
  });
  const isBeyond = alternatives.length === 0 ? 'false' : `(${alternatives.join(' OR ')})`;
  return [...firstBound(keys, marks, side), isBeyond].join(' AND ');
}

/** The condition that a key is on this side of the value; null when no key can be. */
function beyondKey({ sql, direction, nullable }: Key, mark: string | null, side: Side): string | null {
  if (mark === null) return side === 'after' ? null : `${sql} IS NOT NULL`;
  const beyond = `${sql} ${(direction === 'asc') === (side === 'after') ? '>' : '<'} ${mark}`;
  return nullable && side === 'after' ? `(${beyond} OR ${sql} IS NULL)` : beyond;
}

/**
 * The condition on the first key that follows from the alternatives. PostgreSQL does not derive it. Without it,
 * PostgreSQL would read the index from its end and not from the place.
 */
function firstBound([key]: readonly Key[], [mark]: readonly (string | null)[], side: Side): string[] {
  if (!key || key.nullable || !mark) return [];
  return [`${key.sql} ${(key.direction === 'asc') === (side === 'after') ? '>=' : '<='} ${mark}`];
}
