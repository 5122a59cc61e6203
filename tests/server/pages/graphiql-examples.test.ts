import { Kind, parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../../src/graphql/schema.ts';
import { graphiqlExamples } from '../../../src/server/pages/graphiql-examples.ts';

describe('The document that GraphiQL opens with', () => {
  const document = parse(graphiqlExamples('http://127.0.0.1:3000'));

  it('fits the schema', () => {
    expect(validate(schema, document)).toEqual([]);
  });

  it('has operations that can run as they stand, each with a name to be chosen by', () => {
    const operations = document.definitions.filter(({ kind }) => kind === Kind.OPERATION_DEFINITION);
    expect(operations.length).toBeGreaterThan(3);
    for (const operation of operations)
      expect(operation).toMatchObject({ name: { kind: Kind.NAME }, variableDefinitions: [] });
  });
});
