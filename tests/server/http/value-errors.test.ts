import { buildSchema, Kind, parse } from 'graphql';
import { getVariableValues } from 'graphql/execution/values.js';
import { describe, expect, it } from 'vitest';
import { explainValueError } from '../../../src/server/http/value-errors.ts';

const schema = buildSchema(`
  type Query { a: Int }
  type Mutation { make(input: MakeInput!): Int }
  input MakeInput {
    "Milliseconds, 1 to 3600000."
    timeoutMs: Int
    method: Method
    "One for each call."
    parts: [PartInput!]
  }
  input PartInput {
    "1 to 200 characters."
    name: String!
  }
  enum Method { GET POST }
`);

function explain(input: unknown, type = 'MakeInput!'): string {
  const [operation] = parse(`mutation ($input: ${type}) { make(input: $input) }`).definitions;
  if (operation?.kind !== Kind.OPERATION_DEFINITION) throw new Error('No operation');
  const { errors } = getVariableValues(schema, operation.variableDefinitions ?? [], { input });
  if (!errors?.[0]) throw new Error('The value fits');
  return explainValueError(errors[0], schema);
}

describe('what is said of a value that is none of its type', () => {
  it('names its place, why it is wrong, and what its field allows', () => {
    expect(explain({ timeoutMs: 'soon' })).toBe(
      'Variable "$input" got invalid value "soon" at "input.timeoutMs"; Int cannot represent non-integer value: "soon". timeoutMs: Milliseconds, 1 to 3600000.',
    );
    expect(explain({ parts: [{ name: 'a' }, { name: 7 }] })).toMatch(
      /^Variable "\$input" got invalid value 7 at "input.parts\[1\].name"; .* name: 1 to 200 characters\.$/,
    );
  });

  it('has nothing to add where a field has no description, or is none', () => {
    expect(explain({ method: 'GETT' })).toMatch(/; .*Did you mean the enum value "GET"\?$/);
    expect(explain({ timeOutMs: 1 })).toMatch(/; .*Did you mean "timeoutMs"\?$/);
    expect(explain(null)).toBe('Variable "$input" of non-null type "MakeInput!" must not be null.');
  });

  it('repeats no more of a value than its beginning', () => {
    const long = 'x'.repeat(1_000_000);
    for (const input of [{ timeoutMs: long }, { [long]: 1 }, { parts: [{ name: [long] }] }, long])
      expect(explain(input).length).toBeLessThan(1_000);
    expect(explain({ timeoutMs: long })).toMatch(/^Variable "\$input" got invalid value "x{79}… at/);
  });
});
