import {
  type Condition,
  isEmptyGroup,
  type Test,
  withoutEmptyGroups,
} from '../../domain/values/condition.ts';
import type { TagLookup } from './tag-lookup.ts';

/** Where a field of a condition stands in the table. */
export type Column =
  | { name: string; nullable: boolean }
  /** The tags of the row's job: the column that names the job, and how to ask something of it. */
  | { jobId: string; ofJob: (job: PrismaWhere) => PrismaWhere };

/** A Prisma `where`; each model's own type is narrower and is asked for by the caller. */
export type PrismaWhere = Record<string, unknown>;

const NO_TAGS: TagLookup = new Map();

/**
 * Translates a condition, with the same answers that `matches` gives.
 *
 * @param tags what `lookUpTags` has found, where the condition may ask for tags
 */
export function toPrismaWhere<Field extends string>(
  condition: Condition<Field>,
  columns: Readonly<Record<Field, Column>>,
  tags: TagLookup = NO_TAGS,
): PrismaWhere {
  const simple = withoutEmptyGroups(condition);
  if (isEmptyGroup(simple, 'all')) return {};
  if (!isEmptyGroup(simple, 'any')) return translate(simple, { columns, tags }, false);
  const [column] = Object.values<Column>(columns);
  return { [column && 'name' in column ? column.name : 'id']: { in: [] } };
}

function translate<Field extends string>(
  condition: Condition<Field>,
  place: { columns: Readonly<Record<Field, Column>>; tags: TagLookup },
  isNegated: boolean,
): PrismaWhere {
  switch (condition.kind) {
    case 'test': {
      const column = place.columns[condition.field];
      if ('ofJob' in column) return translateTags(condition.test, column, place.tags);
      const { name, nullable } = column;
      const test = { [name]: translateTest(condition.test) };
      // Under NOT a null would make SQL's answer unknown instead of false.
      return nullable && isNegated ? { AND: [{ [name]: { not: null } }, test] } : test;
    }
    case 'not':
      return { NOT: translate(condition.of, place, true) };
    case 'all':
      return { AND: condition.of.map((part) => translate(part, place, isNegated)) };
    case 'any':
      return { OR: condition.of.map((part) => translate(part, place, isNegated)) };
  }
}

function translateTags(
  test: Test,
  { jobId, ofJob }: Extract<Column, { jobId: string }>,
  tags: TagLookup,
): PrismaWhere {
  const tagged = test.op === 'hasAny' ? tags.get(test.names) : undefined;
  if (!tagged) throw new Error('A condition on tags is to be translated that were not looked up');
  return 'jobIds' in tagged
    ? { [jobId]: { in: tagged.jobIds } }
    : ofJob({ tagAssociations: { some: { tagId: { in: tagged.tagIds } } } });
}

function translateTest(test: Test): PrismaWhere {
  switch (test.op) {
    case 'in':
      return { in: test.values };
    case 'contains':
    case 'startsWith':
      return { [test.op]: escapeLike(test.text) };
    case 'hasAny':
      throw new Error('A column that is no list was asked for what it has');
    default:
      return { [test.op]: test.bound };
  }
}

/** Prisma hands the text to LIKE as it is, where it would be a pattern. */
function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, (character) => `\\${character}`);
}
