import type { Condition, Test } from '../../domain/values/condition.ts';

/** A condition on another, indexed column with the same meaning. */
export interface ImpliedCondition {
  sql: string;
  /** Whether it has the whole meaning, so the column itself needs no condition. */
  isEquivalent: boolean;
}

/** The column of a field of a condition. */
export type SqlColumn =
  | {
      sql: string;
      type: string;
      /** The same condition on another column; null when no other column has it. */
      impliedBy?: (values: readonly (string | number)[]) => ImpliedCondition | null;
    }
  /** The tags of a job, given by its id. */
  | { tagsOfJob: string };

/**
 * Writes a condition as SQL with the same results as `matches`. It adds its values to the parameters in `values`,
 * which may hold others already.
 *
 * The statement differs with the condition, so it must not have a name.
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
      // Without coalesce, NOT of a test of a null is unknown instead of true.
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

/** With the same condition twice, the planner would expect hardly any rows. */
function isOneOf(
  { sql, type, impliedBy }: Extract<SqlColumn, { sql: string }>,
  values: readonly (string | number)[],
  parameter: (value: unknown) => string,
): string {
  const implied = impliedBy?.(values) ?? null;
  if (implied?.isEquivalent) return implied.sql;
  const test = `${sql} = ANY(${parameter(values)}::${type}[])`;
  return implied === null ? test : `(${implied.sql} AND ${test})`;
}
