import { readFile } from 'node:fs/promises';
import {
  getNamedType,
  type GraphQLInputField,
  type GraphQLNamedType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
  lexicographicSortSchema,
  printSchema,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { CLEARABLE_FIELDS, type JobDefinition } from '../../src/domain/job/job-definition.ts';
import { schema } from '../../src/graphql/schema.ts';

type Described = { name: string; description?: string | null | undefined };
type Field = Described & { args?: readonly Described[] };

/** Every element that may have a description, by its coordinate. */
function describedElements(): [string, string][] {
  return Object.values(schema.getTypeMap())
    .filter((type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type))
    .flatMap((type) => [
      entry(type.name, type),
      ...membersOf(type).flatMap((member) => {
        const coordinate = `${type.name}.${member.name}`;
        return [
          entry(coordinate, member),
          ...(member.args ?? []).map((argument) => entry(`${coordinate}(${argument.name}:)`, argument)),
        ];
      }),
    ]);
}

/** Fields of a change that a job does not have. */
const ABOUT_THE_CHANGE: ReadonlySet<string> = new Set(['id', 'expectedVersion']);

/** Fields that fail for no argument of the right type: they return null for an unknown id. */
const TAKES_ANYTHING: ReadonlySet<string> = new Set(['Query.execution', 'Query.node', 'Job.metrics']);

function inputFields(name: string): GraphQLInputField[] {
  const type = schema.getType(name);
  return isInputObjectType(type) ? Object.values(type.getFields()) : [];
}

function membersOf(type: GraphQLNamedType): readonly Field[] {
  if (isEnumType(type)) return type.getValues();
  if (isObjectType(type) || isInterfaceType(type)) return Object.values(type.getFields());
  return isInputObjectType(type) ? Object.values(type.getFields()) : [];
}

function entry(coordinate: string, { description }: Described): [string, string] {
  return [coordinate, (description ?? '').trim()];
}

describe('the schema', () => {
  it('describes every type, field, argument and enum value', () => {
    const bare = describedElements().filter(([, description]) => description === '');
    expect(bare.map(([coordinate]) => coordinate)).toEqual([]);
  });

  it('is the same as schema.graphql', async () => {
    const committed = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
    expect(committed).toBe(`${printSchema(lexicographicSortSchema(schema))}\n`);
  });

  it('names the errors of every mutation', () => {
    const fields = Object.values(schema.getMutationType()?.getFields() ?? {});
    const silent = fields.filter(({ description }) => !/\w+Error/.test(description ?? ''));
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('names the error code of invalid arguments for every query, list and subscription', () => {
    const fields = Object.values(schema.getTypeMap())
      .filter((type) => isObjectType(type) && type !== schema.getMutationType() && !isIntrospectionType(type))
      .flatMap((type) => membersOf(type).map((field) => ({ ...field, name: `${type.name}.${field.name}` })))
      .filter(({ name, args = [] }) => args.length > 0 && !TAKES_ANYTHING.has(name));
    expect(fields.map(({ name }) => name)).toContain('Subscription.executionLogs');
    const silent = fields.filter(
      ({ description }) => !/\b(BAD_USER_INPUT|NOT_FOUND)\b/.test(description ?? ''),
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('names in descriptions only existing errors', () => {
    const named = describedElements().flatMap(
      ([, description]) => description.match(/\b[A-Z]\w*Error\b/g) ?? [],
    );
    expect(named.filter((name) => !isObjectType(schema.getType(name)))).toEqual([]);
  });

  it('states the default of every field of a new job', () => {
    const silent = inputFields('CreateJobInput')
      .filter(({ type }) => !isNonNullType(type))
      .filter(({ description }) => !/\bDefault \S/.test(description ?? ''));
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it('states for every field of a change what null does, and no default', () => {
    const fields = inputFields('UpdateJobInput').filter(({ name }) => !ABOUT_THE_CHANGE.has(name));
    const saying = (text: RegExp) =>
      fields.filter(({ description }) => text.test(description ?? '')).map(({ name }) => name);
    expect(saying(/default/i)).toEqual([]);
    const mayBeNull = (name: string) => CLEARABLE_FIELDS.has(name as keyof JobDefinition);
    const names = fields.map(({ name }) => name);
    expect(saying(/ Null: [^.]+\.$/)).toEqual(names.filter(mayBeNull));
    expect(saying(/ Null is refused\.$/)).toEqual(names.filter((name) => !mayBeNull(name)));
  });

  it('gives every payload its errors, never null', () => {
    const fields = Object.values(schema.getMutationType()?.getFields() ?? {});
    expect(fields.length).toBeGreaterThan(0);
    for (const field of fields) {
      const payload = getNamedType(field.type);
      const errors = isObjectType(payload) ? payload.getFields()['errors'] : undefined;
      expect(String(errors?.type)).toBe('[MutationError!]!');
    }
  });
});
