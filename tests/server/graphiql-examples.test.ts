import { parse, validate } from 'graphql';
import { describe, expect, it } from 'vitest';
import { schema } from '../../src/graphql/schema.ts';
import { graphiqlExamples } from '../../src/server/graphiql-examples.ts';

describe('The examples that GraphiQL opens with', () => {
  it.each(graphiqlExamples('http://127.0.0.1:3000'))('fit the schema: %s', (example) => {
    expect(validate(schema, parse(example))).toEqual([]);
  });
});
