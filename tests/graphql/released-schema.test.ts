import { readFile } from 'node:fs/promises';
import {
  astFromValue,
  buildSchema,
  findBreakingChanges,
  findDangerousChanges,
  type GraphQLInputField,
  type GraphQLSchema,
  isInputObjectType,
  print,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import packageJson from '../../package.json' with { type: 'json' };
import { BREAKING, DANGEROUS, LAST_RELEASE } from './released/changes.ts';

const file = new URL(`released/schema-${LAST_RELEASE}.graphql`, import.meta.url);
const released = buildSchema(await readFile(file, 'utf8'));

function changesBetween(
  before: GraphQLSchema,
  after: GraphQLSchema,
): { breaking: string[]; dangerous: string[] } {
  const named = (changes: readonly { description: string }[]) =>
    changes.map(({ description }) => description).sort();
  return {
    breaking: named(findBreakingChanges(before, after)),
    dangerous: named([...findDangerousChanges(before, after), ...changedDefaults(before, after)]),
  };
}

/** Of input fields. graphql-js checks only those of arguments. */
function changedDefaults(before: GraphQLSchema, after: GraphQLSchema): { description: string }[] {
  const fieldsOf = (of: GraphQLSchema, type: string) => {
    const found = of.getType(type);
    return isInputObjectType(found) ? found.getFields() : {};
  };
  return Object.keys(before.getTypeMap()).flatMap((type) => {
    const fields = fieldsOf(after, type);
    return Object.values(fieldsOf(before, type)).flatMap((old) => {
      const field = fields[old.name];
      if (!field || defaultOf(old) === defaultOf(field)) return [];
      const change = `from ${defaultOf(old)} to ${defaultOf(field)}`;
      return [{ description: `${type}.${old.name} has changed its default ${change}.` }];
    });
  });
}

function defaultOf({ defaultValue, type }: GraphQLInputField): string {
  const value = defaultValue === undefined ? null : astFromValue(defaultValue, type);
  return value ? print(value) : 'none';
}

describe(`since release ${LAST_RELEASE}, the schema`, () => {
  const { breaking, dangerous } = changesBetween(released, schema);

  it('breaks no client without a documented reason', () => {
    expect(breaking).toEqual(Object.keys(BREAKING).sort());
  });

  it('changes nothing for careless clients without a release note', () => {
    expect(dangerous).toEqual(Object.keys(DANGEROUS).sort());
  });

  it("is compared with the schema of the package's version", () => {
    // This fails in the commit that raises the version, the release. Then follow the instructions in changes.ts.
    expect(LAST_RELEASE).toBe(packageJson.version);
  });

  it('has a reason for each allowed change', () => {
    for (const reason of Object.values({ ...BREAKING, ...DANGEROUS })) expect(reason).toMatch(/\w{3}.*\.$/);
  });
});

describe('the comparison', () => {
  const before = buildSchema(`type Query { a(b: Int): Int, c: Kind, e: Int } enum Kind { X Y }`);
  const changed: [string, string, string[], string[]][] = [
    ['a new field', 'type Query { a(b: Int): Int, c: Kind, e: Int, d: Int } enum Kind { X Y }', [], []],
    ['a removed field', 'type Query { c: Kind, e: Int } enum Kind { X Y }', ['Query.a was removed.'], []],
    [
      'an argument that is needed now',
      'type Query { a(b: Int!): Int, c: Kind, e: Int } enum Kind { X Y }',
      ['Query.a arg b has changed type from Int to Int!.'],
      [],
    ],
    [
      'a new value of an enum',
      'type Query { a(b: Int): Int, c: Kind, e: Int } enum Kind { X Y Z }',
      [],
      ['Z was added to enum type Kind.'],
    ],
  ];

  it('reports changed defaults, of arguments and of input fields', () => {
    const withDefaults = (b: string, g: string, h: string, i: string) =>
      buildSchema(`type Query { a(b: Int${b}, in: In): Int } enum Kind { X Y }
        input In { g: Kind${g}, h: [Int!]${h}, i: Int!${i} }`);
    const { dangerous } = changesBetween(
      withDefaults(' = 1', ' = X', '', ' = 1'),
      withDefaults(' = 2', ' = Y', ' = [1]', ''),
    );
    expect(dangerous).toEqual([
      'In.g has changed its default from X to Y.',
      'In.h has changed its default from none to [1].',
      'In.i has changed its default from 1 to none.',
      'Query.a arg b has changed defaultValue from 1 to 2.',
    ]);
    const same = withDefaults('', '', '', '');
    expect(changesBetween(same, same)).toEqual({ breaking: [], dangerous: [] });
  });

  it.each(changed)('describes %s', (_what, source, breaking, dangerous) => {
    expect(changesBetween(before, buildSchema(source))).toEqual({ breaking, dangerous });
  });
});
