import { type Condition, isEmptyGroup, type Test, withoutEmptyGroups } from '../../domain/condition.ts';

/** Where a field of a condition stands: in the table, or in rows that belong to its row. */
export type Column =
  | { name: string; nullable: boolean }
  /** Wraps what must hold for at least one such row. */
  | { someRow: (row: PrismaWhere) => PrismaWhere };

/** A Prisma `where`; each model's own type is narrower and is asked for by the caller. */
export type PrismaWhere = Record<string, unknown>;

/** Translates a condition, with the same answers that `matches` gives. */
export function toPrismaWhere<Field extends string>(
  condition: Condition<Field>,
  columns: Readonly<Record<Field, Column>>,
): PrismaWhere {
  const simple = withoutEmptyGroups(condition);
  if (isEmptyGroup(simple, 'all')) return {};
  if (!isEmptyGroup(simple, 'any')) return translate(simple, columns, false);
  const [column] = Object.values<Column>(columns);
  return { [column && 'name' in column ? column.name : 'id']: { in: [] } };
}

function translate<Field extends string>(
  condition: Condition<Field>,
  columns: Readonly<Record<Field, Column>>,
  isNegated: boolean,
): PrismaWhere {
  switch (condition.kind) {
    case 'test': {
      const column = columns[condition.field];
      if ('someRow' in column) return column.someRow(translateTest(condition.test));
      const { name, nullable } = column;
      const test = { [name]: translateTest(condition.test) };
      // Under NOT a null would make SQL's answer unknown instead of false.
      return nullable && isNegated ? { AND: [{ [name]: { not: null } }, test] } : test;
    }
    case 'not':
      return { NOT: translate(condition.of, columns, true) };
    case 'all':
      return { AND: condition.of.map((part) => translate(part, columns, isNegated)) };
    case 'any':
      return { OR: condition.of.map((part) => translate(part, columns, isNegated)) };
  }
}

function translateTest(test: Test): PrismaWhere {
  switch (test.op) {
    case 'in':
      return { in: test.values };
    case 'hasAny':
      return { name: { in: test.names } };
    case 'contains':
    case 'startsWith':
      return { [test.op]: escapeLike(test.text) };
    default:
      return { [test.op]: test.bound };
  }
}

/** Prisma hands the text to LIKE as it is, where it would be a pattern. */
function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, (character) => `\\${character}`);
}
