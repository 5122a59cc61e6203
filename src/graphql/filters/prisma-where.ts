import { type Condition, isEmptyGroup, type Test, withoutEmptyGroups } from './condition.ts';

/** Where a field of a condition stands in the table. */
export interface Column {
  name: string;
  nullable: boolean;
}

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
  const [{ name } = { name: 'id' }] = Object.values<Column>(columns);
  return { [name]: { in: [] } };
}

function translate<Field extends string>(
  condition: Condition<Field>,
  columns: Readonly<Record<Field, Column>>,
  isNegated: boolean,
): PrismaWhere {
  switch (condition.kind) {
    case 'test': {
      const { name, nullable } = columns[condition.field];
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
