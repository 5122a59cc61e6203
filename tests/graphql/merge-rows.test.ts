import { describe, expect, it } from 'vitest';
import { mergeRows } from '../../src/graphql/connection/merge-rows.ts';
import type { Ordering } from '../../src/graphql/connection/ordering.ts';

const ordering: Ordering = [
  { name: 'STARTED_AT', column: 'startedAt', type: 'instant', nullable: false, direction: 'desc' },
  { name: 'FINISHED_AT', column: 'finishedAt', type: 'instant', nullable: true, direction: 'asc' },
  { name: 'ID', column: 'id', type: 'id', nullable: false, direction: 'asc' },
];
const row = (id: string, startedAt: number, finishedAt: number | null) => ({
  id,
  startedAt: new Date(startedAt),
  finishedAt: finishedAt === null ? null : new Date(finishedAt),
});

describe('rows of several sets', () => {
  it('are merged by all keys, nulls last, and by id when those are equal', () => {
    const sets = [
      [row('d', 9, null), row('e', 1, null)],
      [row('c', 9, 5), row('a', 9, 7), row('b', 9, 7)],
    ];
    const merged = mergeRows(sets, ordering, false).map(({ id }) => id);
    expect(merged).toEqual(['c', 'a', 'b', 'd', 'e']);
    expect(mergeRows(sets, ordering, true).map(({ id }) => id)).toEqual(merged.toReversed());
  });

  it('occur once each, in the version that was read last', () => {
    const sets = [[row('a', 3, null)], [row('b', 4, 5), row('a', 3, 6)]];
    expect(mergeRows(sets, ordering, false)).toEqual([row('b', 4, 5), row('a', 3, 6)]);
  });
});
