/** One question about one value. A null value answers every question with no. */
export type Test =
  | { op: 'in'; values: readonly (string | number)[] }
  | { op: 'contains' | 'startsWith'; text: string }
  | { op: 'gt' | 'gte' | 'lt' | 'lte'; bound: number | Date }
  | { op: 'hasAny'; names: readonly string[] };

/**
 * A `where` once it has been checked, without GraphQL's shape. It is two-valued: a test of a null value is false, and
 * `not` makes it true. SQL alone would make it unknown, and "not failed by a timeout" would leave out all that never
 * failed.
 */
export type Condition<Field extends string = string> =
  | { kind: 'all' | 'any'; of: readonly Condition<Field>[] }
  | { kind: 'not'; of: Condition<Field> }
  | { kind: 'test'; field: Field; test: Test };

/** Holds for every row. */
export const EVERYTHING = { kind: 'all', of: [] } as const satisfies Condition<never>;
/** Holds for none. */
export const NOTHING = { kind: 'any', of: [] } as const satisfies Condition<never>;

/**
 * The same condition without empty groups, unless it is one as a whole. Prisma takes some of them for the opposite of
 * what they mean.
 */
export function withoutEmptyGroups<Field extends string>(condition: Condition<Field>): Condition<Field> {
  switch (condition.kind) {
    case 'test':
      return condition;
    case 'not': {
      const of = withoutEmptyGroups(condition.of);
      if (isEmptyGroup(of, 'all')) return NOTHING;
      return isEmptyGroup(of, 'any') ? EVERYTHING : { kind: 'not', of };
    }
    case 'all':
    case 'any': {
      const { kind } = condition;
      const parts = condition.of.map(withoutEmptyGroups);
      // Nothing among all, or everything among any, decides the whole; the other way round, it changes nothing.
      const deciding = parts.find((part) => isEmptyGroup(part, kind === 'all' ? 'any' : 'all'));
      if (deciding) return deciding;
      const of = parts.filter((part) => !isEmptyGroup(part, kind));
      return of.length === 1 && of[0] ? of[0] : { kind, of };
    }
  }
}

/** Whether the condition is everything (an empty `all`) or nothing (an empty `any`). */
export function isEmptyGroup(condition: Condition, kind: 'all' | 'any'): boolean {
  return condition.kind === kind && condition.of.length === 0;
}

/** Whether some test of the condition is about the field. */
export function mentions<Field extends string>(condition: Condition<Field>, field: Field): boolean {
  switch (condition.kind) {
    case 'test':
      return condition.field === field;
    case 'not':
      return mentions(condition.of, field);
    default:
      return condition.of.some((part) => mentions(part, field));
  }
}

/** What a test may be asked of; a list where a field has many values, such as tags. */
export type FieldValue = string | number | Date | readonly string[] | null | undefined;

/** Answers the condition for one row, given its values by field. */
export function matches<Field extends string>(
  condition: Condition<Field>,
  valueOf: (field: Field) => FieldValue,
): boolean {
  switch (condition.kind) {
    case 'test': {
      const value = valueOf(condition.field);
      return value !== null && value !== undefined && passes(condition.test, value);
    }
    case 'not':
      return !matches(condition.of, valueOf);
    case 'all':
      return condition.of.every((part) => matches(part, valueOf));
    case 'any':
      return condition.of.some((part) => matches(part, valueOf));
  }
}

function passes(test: Test, value: NonNullable<FieldValue>): boolean {
  switch (test.op) {
    case 'hasAny':
      return Array.isArray(value) && test.names.some((name) => value.includes(name));
    case 'in':
      return (typeof value === 'string' || typeof value === 'number') && test.values.includes(value);
    case 'contains':
      return typeof value === 'string' && value.includes(test.text);
    case 'startsWith':
      return typeof value === 'string' && value.startsWith(test.text);
    case 'gt':
      return value > test.bound;
    case 'gte':
      return value >= test.bound;
    case 'lt':
      return value < test.bound;
    case 'lte':
      return value <= test.bound;
  }
}
