import type { GraphQLError } from 'graphql';
import { Kind, type ValueNode } from 'graphql';
import { builder } from '../../builder.ts';
import { clientError, shown } from '../../errors.ts';

/** A date, a time with seconds, up to nanoseconds (which are cut to milliseconds), and an offset: RFC 3339. */
const INSTANT = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(Z|[+-]\d{2}:\d{2})$/;
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

builder.scalarType('DateTime', {
  description:
    'An instant, ISO 8601 in UTC with milliseconds, such as 2025-01-31T08:30:00.000Z. Inputs may have any offset and up to nine decimals of a second (cut to three), in the years 1970 to 9999.',
  serialize: (value) => value.toISOString(),
  parseValue: (value) => readInstant(value),
  parseLiteral: (node) => readInstant(node.kind === Kind.STRING ? node.value : undefined),
});

builder.scalarType('JSON', {
  description: 'Any JSON value.',
  serialize: (value) => value,
  parseValue: (value) => value,
  parseLiteral: (node, variables) => readJson(node, variables ?? {}),
});

function readInstant(value: unknown): Date {
  if (typeof value !== 'string') throw notAnInstant('a text is needed');
  const instant = value.length <= 40 && isRealDate(value) ? new Date(value) : null;
  if (instant === null || !(instant.getTime() >= 0 && instant.getTime() <= LATEST_MS)) {
    throw notAnInstant(`"${shown(value)}" is none`);
  }
  return instant;
}

function notAnInstant(why: string): GraphQLError {
  return clientError(
    'BAD_USER_INPUT',
    `DateTime takes an instant of the years 1970 to 9999 such as 2025-01-31T08:30:00.000Z; ${why}.`,
  );
}

/** JavaScript takes the 30th of February for a day in March. */
function isRealDate(text: string): boolean {
  const match = INSTANT.exec(text);
  if (!match) return false;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(Date.UTC(year, month - 1, day));
  return (
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60
  );
}

function readJson(node: ValueNode, variables: Readonly<Record<string, unknown>>): unknown {
  switch (node.kind) {
    case Kind.STRING:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.ENUM:
      throw clientError('BAD_USER_INPUT', `JSON has no bare words; ${shown(node.value)} needs quotes.`);
    case Kind.INT:
    case Kind.FLOAT:
      return Number(node.value);
    case Kind.NULL:
      return null;
    case Kind.LIST:
      return node.values.map((item) => readJson(item, variables));
    case Kind.OBJECT:
      return Object.fromEntries(
        node.fields.map(({ name, value }) => [name.value, readJson(value, variables)]),
      );
    case Kind.VARIABLE:
      return variables[node.name.value];
  }
}
