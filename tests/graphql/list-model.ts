import fc from 'fast-check';

/** The fields of a row that a list shows, by the API's names: instants as ISO texts, tags as a list. */
export type ModelRow = { id: string } & Record<string, string | number | boolean | null | readonly string[]>;
/** A stored row in the form of the API. */
export function modelRow(id: string, facts: object): ModelRow {
  const plain = Object.entries(facts).map(([name, value]: [string, unknown]) => [
    name,
    value instanceof Date ? value.toISOString() : value,
  ]);
  return { id, ...(Object.fromEntries(plain) as object) };
}

export type Where = Readonly<Record<string, unknown>>;
export type OrderKey = { field: string; direction: 'ASC' | 'DESC' };

/** The rows that a `where` selects, implemented directly from its descriptions. */
export function selected(rows: readonly ModelRow[], where: Where): ModelRow[] {
  return rows.filter((row) => holds(where, row));
}

function holds(where: Where, row: ModelRow): boolean {
  return Object.entries(where).every(([name, asked]) => {
    if (name === 'AND') return (asked as Where[]).every((part) => holds(part, row));
    if (name === 'OR') return (asked as Where[]).some((part) => holds(part, row));
    if (name === 'NOT') return !holds(asked as Where, row);
    const value = row[name] ?? null;
    if (Array.isArray(asked)) return asked.includes(value);
    if (typeof asked === 'boolean') return value === asked;
    return Object.entries(asked as Record<string, never>).every(
      ([operator, operand]) => OPERATORS[operator]?.(value as never, operand) ?? false,
    );
  });
}

const nameOf = (tag: string) => tag.trim().toLowerCase();
const OPERATORS: Record<string, (value: never, operand: never) => boolean> = {
  eq: (value: unknown, operand: unknown) => value === operand,
  in: (value: unknown, operand: unknown[]) => operand.includes(value),
  contains: (value: string | null, operand: string) => value?.includes(operand) ?? false,
  startsWith: (value: string | null, operand: string) => value?.startsWith(operand) ?? false,
  gt: (value: number | null, operand: number) => value !== null && value > operand,
  gte: (value: number | null, operand: number) => value !== null && value >= operand,
  lt: (value: number | null, operand: number) => value !== null && value < operand,
  lte: (value: number | null, operand: number) => value !== null && value <= operand,
  hasAny: (tags: string[], names: string[]) => names.some((name) => tags.includes(nameOf(name))),
  hasAll: (tags: string[], names: string[]) => names.every((name) => tags.includes(nameOf(name))),
  hasNone: (tags: string[], names: string[]) => !names.some((name) => tags.includes(nameOf(name))),
};

const FIELDS: Record<string, string> = {
  CREATED_AT: 'createdAt',
  UPDATED_AT: 'updatedAt',
  NAME: 'name',
  NEXT_RUN_AT: 'nextRunAt',
  SCHEDULED_AT: 'scheduledAt',
  STARTED_AT: 'startedAt',
  FINISHED_AT: 'finishedAt',
  FAILED_AT: 'failedAt',
  AT: 'at',
};

/** Sorts as the API specifies: by the keys in order, nulls last, then by id in the last key's direction. */
export function sorted(rows: readonly ModelRow[], orderBy: readonly OrderKey[]): ModelRow[] {
  const keys = [...orderBy, { field: 'id', direction: orderBy.at(-1)?.direction ?? 'ASC' }];
  return rows.toSorted((a, b) => {
    for (const { field, direction } of keys) {
      const [x = null, y = null] = [a[FIELDS[field] ?? field], b[FIELDS[field] ?? field]];
      if (x === y) continue;
      if (x === null) return 1;
      if (y === null) return -1;
      return (x < y ? -1 : 1) * (direction === 'ASC' ? 1 : -1);
    }
    return 0;
  });
}

/** Any `orderBy` of up to three of the fields. */
export function orderings(fields: readonly string[]): fc.Arbitrary<OrderKey[]> {
  const direction = fc.constantFrom('ASC' as const, 'DESC' as const);
  return fc
    .uniqueArray(fc.constantFrom(...fields), { minLength: 1, maxLength: 3 })
    .chain((names) => fc.tuple(...names.map((field) => direction.map((d) => ({ field, direction: d })))));
}

/** Conditions on a field of each kind. */
export const leaf = {
  text: (field: string, values: readonly string[]) => {
    const texts = fc.constantFrom(...values);
    const operators = {
      eq: texts,
      in: fc.array(texts, { maxLength: 2 }),
      contains: texts,
      startsWith: texts,
    };
    return fc.record({ [field]: fc.record(operators, { requiredKeys: [] }) });
  },
  instant: (field: string, values: readonly string[]) => {
    const instants = fc.constantFrom(...values);
    const operators = { gte: instants, lte: instants, gt: instants, lt: instants };
    return fc.record({ [field]: fc.record(operators, { requiredKeys: [] }) });
  },
  number: (field: string, values: readonly number[]) => {
    const numbers = fc.constantFrom(...values);
    return fc.record({
      [field]: fc.record({ eq: numbers, gte: numbers, lte: numbers }, { requiredKeys: [] }),
    });
  },
  flag: (field: string) => fc.record({ [field]: fc.boolean() }),
  list: (field: string, values: readonly string[]) => fc.record({ [field]: fc.subarray([...values]) }),
  tags: (values: readonly string[]) => {
    const names = fc.subarray([...values], { maxLength: 3 });
    return fc.record({
      tags: fc.record({ hasAny: names, hasAll: names, hasNone: names }, { requiredKeys: [] }),
    });
  },
};

/** Any of the conditions, combined with AND, for a `where` without nesting. */
export function flatWheres(leaves: readonly fc.Arbitrary<Where>[]): fc.Arbitrary<Where> {
  return fc
    .subarray([...leaves])
    .chain((chosen) => fc.tuple(...chosen))
    .map((parts) => Object.assign({}, ...parts) as Where);
}

/** Any nesting of conditions. */
export function wheres(leaves: readonly fc.Arbitrary<Where>[]): fc.Arbitrary<Where> {
  const one = fc.oneof(...leaves);
  const { where } = fc.letrec<{ where: Where }>((tie) => ({
    where: fc.oneof(
      { maxDepth: 3, depthSize: 'small' },
      one,
      fc.tuple(one, one).map(([a, b]) => ({ ...a, ...b })),
      fc.record({ AND: fc.array(tie('where'), { maxLength: 3 }) }),
      fc.record({ OR: fc.array(tie('where'), { maxLength: 3 }) }),
      fc.record({ NOT: tie('where') }),
      fc.tuple(one, tie('where')).map(([a, b]) => ({ ...a, NOT: b })),
    ),
  }));
  return where;
}

/** Whether a `where` contains a condition on the field. */
export function mentionsField(where: Where, field: string): boolean {
  return Object.entries(where).some(([name, asked]) => {
    if (name === 'AND' || name === 'OR') return (asked as Where[]).some((part) => mentionsField(part, field));
    return name === 'NOT' ? mentionsField(asked as Where, field) : name === field;
  });
}
