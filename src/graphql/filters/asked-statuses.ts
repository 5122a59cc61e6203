import type { Condition } from '../../domain/values/condition.ts';

/**
 * Statuses of which a row must have one for a condition to hold; null where any will do.
 *
 * Indexes hold rows by other columns that say the same: of a status in Prisma's statements PostgreSQL knows only that it is
 * cast from a text, and can conclude nothing.
 */
export function askedStatuses<Field extends string>(condition: Condition<Field>): readonly string[] | null {
  switch (condition.kind) {
    case 'test': {
      const { field, test } = condition;
      return field === 'status' && test.op === 'in' ? test.values.map(String) : null;
    }
    case 'all':
      return condition.of.map((part) => askedStatuses(part)).find((statuses) => statuses !== null) ?? null;
    default:
      return null;
  }
}
