import type { FieldIssue } from '../../domain/job/job-definition.ts';
import { decodePublicId, type PublicIdKind } from '../../domain/values/public-id.ts';
import { isStorable } from '../../domain/values/text.ts';
import { readTagFilter, type TagFilter } from '../../domain/job/tag-filter.ts';
import { badArgument } from '../errors.ts';
import { type Condition, NOTHING, type Test } from '../../domain/values/condition.ts';

/** What a field of a `where` input holds. */
export type FieldKind = 'ids' | 'values' | 'text' | 'instant' | 'number' | 'tags';

/** Which fields a `where` input has; ids also say of which kind. */
export type FieldSpecs<Field extends string> = Readonly<
  Record<Field, { kind: FieldKind; idKind?: PublicIdKind }>
>;

export const WHERE_LIMITS = {
  /** How deep AND, OR and NOT may nest. */
  depth: 8,
  /** Tests and groups in one `where`. */
  size: 200,
  /** Entries of one list, and of all lists together: each becomes a parameter of the statement. */
  list: 1_000,
  lists: 10_000,
  /** Characters of one text. */
  text: 5_000,
} as const;

/** A `where` as graphql-js hands it over. */
export type WhereInput = Readonly<Record<string, unknown>>;

/** Whether a `where` lets everything through: null is as good as absent. */
export function isUnfiltered(where: WhereInput | null | undefined): boolean {
  return Object.values(where ?? {}).every((value) => value === null || value === undefined);
}

/** What is wrong with a `where`; its path begins with that word. Leaves this file as one of two kinds of answer. */
class WhereProblem extends Error {
  readonly issue: FieldIssue;

  constructor(path: readonly string[], message: string) {
    super(message);
    this.issue = { path: ['where', ...path], message };
  }
}

/**
 * Checks the `where` of a query or subscription and turns it into a condition. All fields given must hold; null is as good
 * as absent. An id that is malformed or of another kind names nothing, and so matches nothing.
 *
 * @throws GraphQLError BAD_USER_INPUT where it is larger than {@link WHERE_LIMITS} allows
 */
export function readWhere<Field extends string>(
  where: WhereInput | null | undefined,
  specs: FieldSpecs<Field>,
): Condition<Field> {
  const checked = checkWhere(where, specs);
  if (checked.ok) return checked.condition;
  const { path, message } = checked.issue;
  throw badArgument(path.join('.'), lowerFirst(message));
}

/** The same for the `where` of a mutation, whose refusals are data. */
export function checkWhere<Field extends string>(
  where: WhereInput | null | undefined,
  specs: FieldSpecs<Field>,
): { ok: true; condition: Condition<Field> } | { ok: false; issue: FieldIssue } {
  try {
    return { ok: true, condition: conditionOf(where ?? {}, specs) };
  } catch (error) {
    if (error instanceof WhereProblem) return { ok: false, issue: error.issue };
    throw error;
  }
}

function conditionOf<Field extends string>(where: WhereInput, specs: FieldSpecs<Field>): Condition<Field> {
  let size = 0;
  let listed = 0;
  const count = (conditions: number) => {
    size += conditions;
    if (size > WHERE_LIMITS.size)
      throw new WhereProblem([], `Has more than ${WHERE_LIMITS.size} conditions.`);
  };
  const read = (input: WhereInput, depth: number): Condition<Field> => {
    if (depth > WHERE_LIMITS.depth)
      throw new WhereProblem([], `Nests deeper than ${WHERE_LIMITS.depth} levels.`);
    const parts: Condition<Field>[] = [];
    for (const [name, value] of Object.entries(input)) {
      if (value === null || value === undefined) continue;
      count(1);
      if (name === 'AND')
        parts.push({ kind: 'all', of: (value as WhereInput[]).map((part) => read(part, depth + 1)) });
      else if (name === 'OR')
        parts.push({ kind: 'any', of: (value as WhereInput[]).map((part) => read(part, depth + 1)) });
      else if (name === 'NOT') parts.push({ kind: 'not', of: read(value as WhereInput, depth + 1) });
      else {
        const found = readField(name as Field, specs[name as Field], value);
        // A filter by many tags is as many conditions.
        count(found.length - 1);
        parts.push(...found);
      }
      // What NOT holds was counted when it was read.
      if (name !== 'NOT') listed += listedIn(value);
      if (listed > WHERE_LIMITS.lists)
        throw new WhereProblem([], `Lists more than ${WHERE_LIMITS.lists} values.`);
    }
    return parts.length === 1 && parts[0] ? parts[0] : { kind: 'all', of: parts };
  };
  return read(where, 1);
}

/** How many values are listed, in a list itself or in those of a filter's operators. */
function listedIn(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return Object.values(value as WhereInput).reduce<number>(
    (count, list) => count + (Array.isArray(list) ? list.length : 0),
    0,
  );
}

function readField<Field extends string>(
  field: Field,
  { kind, idKind }: FieldSpecs<Field>[Field],
  value: unknown,
): Condition<Field>[] {
  if (kind === 'tags') return tagConditions(field, value as TagFilter);
  const tests =
    kind === 'ids' || kind === 'values'
      ? [listTest(field, value as string[], idKind)]
      : operatorTests(field, value as WhereInput);
  return tests.map((test) => ({ kind: 'test', field, test }));
}

function tagConditions<Field extends string>(field: Field, filter: TagFilter): Condition<Field>[] {
  const read = readTagFilter(filter);
  if (!read.ok) throw new WhereProblem([field, read.operator], read.message);
  const { hasAny, hasAll, hasNone } = read.question;
  const hasOneOf = (...names: string[]): Condition<Field> => ({
    kind: 'test',
    field,
    test: { op: 'hasAny', names },
  });
  return [
    ...(hasAny === null ? [] : [hasAny.length === 0 ? NOTHING : hasOneOf(...hasAny)]),
    ...hasAll.map((name) => hasOneOf(name)),
    ...(hasNone.length === 0 ? [] : [{ kind: 'not', of: hasOneOf(...hasNone) } as const]),
  ];
}

function lowerFirst(sentence: string): string {
  return sentence.charAt(0).toLowerCase() + sentence.slice(1);
}

function listTest(field: string, values: readonly string[], idKind: PublicIdKind | undefined): Test {
  checkList(field, values);
  if (idKind === undefined) return { op: 'in', values: values.filter(isStorable) };
  return { op: 'in', values: values.map((id) => decodePublicId(idKind, id)).filter((id) => id !== null) };
}

function operatorTests(field: string, filter: WhereInput): Test[] {
  const tests: Test[] = [];
  for (const [operator, value] of Object.entries(filter)) {
    if (value === null || value === undefined) continue;
    tests.push(operatorTest(field, operator, value));
  }
  return tests;
}

function operatorTest(field: string, operator: string, value: unknown): Test {
  switch (operator) {
    case 'eq':
      return { op: 'in', values: [value as string | number].map((item) => checkedText(field, item)) };
    case 'in':
      checkList(field, value as string[]);
      return { op: 'in', values: (value as string[]).map((item) => checkedText(field, item)) };
    case 'contains':
    case 'startsWith':
      return { op: operator, text: checkedText(field, value as string) };
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return { op: operator, bound: value as number | Date };
    default:
      throw new Error(`A filter has an operator that is not understood: ${operator}`);
  }
}

function checkList(field: string, values: readonly unknown[]): void {
  if (values.length > WHERE_LIMITS.list) {
    throw new WhereProblem([field], `Lists ${values.length} values; allowed are ${WHERE_LIMITS.list}.`);
  }
}

function checkedText<Value extends string | number>(field: string, value: Value): Value {
  if (typeof value !== 'string') return value;
  if (value.length > WHERE_LIMITS.text) {
    throw new WhereProblem([field], `Has ${value.length} characters; allowed are ${WHERE_LIMITS.text}.`);
  }
  if (!isStorable(value))
    throw new WhereProblem([field], 'Holds a NUL character or half of a surrogate pair.');
  return value;
}
