// A plugin of the code generator: the schema as urql's normalised cache wants it.
import { minifyIntrospectionQuery } from '@urql/introspection';
import { introspectionFromSchema } from 'graphql';

/** @param {import('graphql').GraphQLSchema} schema */
export function plugin(schema) {
  const facts = minifyIntrospectionQuery(introspectionFromSchema(schema, { descriptions: false }));
  return [
    "import type { CacheExchangeOpts } from '@urql/exchange-graphcache';",
    '',
    `export const introspection: NonNullable<CacheExchangeOpts['schema']> = ${JSON.stringify(facts)};`,
    '',
  ].join('\n');
}
