// A plugin of the code generator: what the client package knows of the schema besides its types.
import { isAbstractType, isObjectType } from 'graphql';

/** @param {import('graphql').GraphQLSchema} schema */
export function plugin(schema) {
  const feeds = Object.values(schema.getSubscriptionType().getFields())
    .filter(({ args }) => args.some(({ name }) => name === 'after'))
    .map(({ name }) => name);
  const possibleTypes = Object.values(schema.getTypeMap())
    .filter((type) => isAbstractType(type) && !type.name.startsWith('__'))
    .map((type) => [type.name, schema.getPossibleTypes(type).map(({ name }) => name)]);
  const embedded = Object.values(schema.getTypeMap())
    .filter((type) => isObjectType(type) && !type.name.startsWith('__') && !isRoot(schema, type))
    .filter((type) => String(type.getFields().id?.type) !== 'ID!')
    .map(({ name }) => name);
  return [
    '/** The subscriptions that go on behind a cursor. */',
    `export const feedFields: readonly string[] = ${JSON.stringify(feeds)};`,
    '',
    '/** Which types each interface and union stands for, as caches of entities want to know. */',
    `export const possibleTypes: Record<string, string[]> = ${JSON.stringify(Object.fromEntries(possibleTypes), null, 2)};`,
    '',
    '/** Objects without an id of their own. */',
    `export const embeddedTypes: readonly string[] = ${JSON.stringify(embedded)};`,
    '',
  ].join('\n');
}

function isRoot(schema, type) {
  return [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].includes(type);
}
