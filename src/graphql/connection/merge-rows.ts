import type { Ordering, SortKey } from './ordering.ts';
import type { Place } from '../../domain/execution/page-request.ts';

/**
 * Merges rows that were read from several sets, each sorted, into that order. A row that went over to a later set between
 * the two reads is in both, and counts as it was read last.
 */
export function mergeRows<Row extends object>(
  sets: readonly Row[][],
  ordering: Ordering,
  isReversed: boolean,
): Row[] {
  const [first = []] = sets;
  if (sets.length <= 1) return first;
  const identity = ordering.at(-1)?.column ?? '';
  const byIdentity = new Map(sets.flat().map((row) => [valueOf(row, identity), row]));
  const sign = isReversed ? -1 : 1;
  return [...byIdentity.values()].sort((a, b) => sign * compare(a, b, ordering));
}

function compare(a: object, b: object, ordering: Ordering): number {
  for (const key of ordering) {
    const order = compareValues(valueOf(a, key.column), valueOf(b, key.column), key);
    if (order !== 0) return order;
  }
  return 0;
}

/** Nulls come last in either direction. */
function compareValues(x: Place[number], y: Place[number], { direction }: SortKey): number {
  if (x === null || y === null) return Number(x === null) - Number(y === null);
  const rising = x < y ? -1 : Number(x > y);
  return direction === 'asc' ? rising : -rising;
}

function valueOf(row: object, column: string): Place[number] {
  return (row as Record<string, Place[number]>)[column] ?? null;
}
