import type { Condition, Test } from '../../domain/values/condition.ts';

/** How another column, by which an index goes, tells the same. */
export interface Telling {
  sql: string;
  /** Whether it tells all of it: the column itself need not be asked. */
  isAll: boolean;
}

/** Where a field of a condition stands in a statement. */
export type SqlColumn =
  | {
      sql: string;
      type: string;
      /** What the column tells by being one of these; null where no other column tells it as well. */
      toldBy?: (values: readonly (string | number)[]) => Telling | null;
    }
  /** The tags of a job, given by its id. */
  | { tagsOfJob: string };

/**
 * Writes a condition as SQL, with the same answers that `matches` gives. Its values become parameters: they are added to
 * `values`, which may hold others already.
 *
 * The statement differs with the condition, so it must not bear a name.
 */
export function conditionSql<Field extends string>(
  condition: Condition<Field>,
  columns: Readonly<Record<Field, SqlColumn>>,
  values: unknown[],
): string {
  switch (condition.kind) {
    case 'test':
      return testSql(condition.test, columns[condition.field], (value) => `$${values.push(value)}`);
    case 'not': {
      // Without it, NOT of a test of a null would be unknown instead of true.
      return `NOT coalesce(${conditionSql(condition.of, columns, values)}, false)`;
    }
    case 'all':
    case 'any': {
      const parts = condition.of.map((part) => conditionSql(part, columns, values));
      if (parts.length === 0) return condition.kind === 'all' ? 'true' : 'false';
      return `(${parts.join(condition.kind === 'all' ? ' AND ' : ' OR ')})`;
    }
  }
}

function testSql(test: Test, column: SqlColumn, parameter: (value: unknown) => string): string {
  if ('tagsOfJob' in column) {
    const names = test.op === 'hasAny' ? test.names : [];
    return `EXISTS (SELECT FROM job_tag_associations AS ta JOIN job_tags AS t ON t.id = ta.tag_id
      WHERE ta.job_id = ${column.tagsOfJob} AND t.name = ANY(${parameter(names)}::text[]))`;
  }
  const { sql, type } = column;
  switch (test.op) {
    case 'in':
      return isOneOf(column, test.values, parameter);
    case 'contains':
      return `strpos(${sql}, ${parameter(test.text)}) > 0`;
    case 'startsWith':
      return `starts_with(${sql}, ${parameter(test.text)})`;
    case 'gt':
      return `${sql} > ${parameter(test.bound)}::${type}`;
    case 'gte':
      return `${sql} >= ${parameter(test.bound)}::${type}`;
    case 'lt':
      return `${sql} < ${parameter(test.bound)}::${type}`;
    case 'lte':
      return `${sql} <= ${parameter(test.bound)}::${type}`;
    case 'hasAny':
      throw new Error('A column that is no list was asked for what it has');
  }
}

/** The same told twice would be to the planner as if hardly any row had both. */
function isOneOf(
  { sql, type, toldBy }: Extract<SqlColumn, { sql: string }>,
  values: readonly (string | number)[],
  parameter: (value: unknown) => string,
): string {
  const telling = toldBy?.(values) ?? null;
  if (telling?.isAll) return telling.sql;
  const test = `${sql} = ANY(${parameter(values)}::${type}[])`;
  return telling === null ? test : `(${telling.sql} AND ${test})`;
}
