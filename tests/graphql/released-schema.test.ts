import { readFile } from 'node:fs/promises';
import { buildSchema, findBreakingChanges, findDangerousChanges, type GraphQLSchema } from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
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
    dangerous: named(findDangerousChanges(before, after)),
  };
}

describe(`since release ${LAST_RELEASE}, the schema`, () => {
  const { breaking, dangerous } = changesBetween(released, schema);

  it('breaks no client without a reason that is written down', () => {
    expect(breaking).toEqual(Object.keys(BREAKING).sort());
  });

  it('surprises no client without a word for the release notes', () => {
    expect(dangerous).toEqual(Object.keys(DANGEROUS).sort());
  });

  it('has a reason for each change that is allowed', () => {
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

  it.each(changed)('tells what %s means', (_what, source, breaking, dangerous) => {
    expect(changesBetween(before, buildSchema(source))).toEqual({ breaking, dangerous });
  });
});
