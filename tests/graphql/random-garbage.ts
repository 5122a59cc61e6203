import fc from 'fast-check';
import {
  type GraphQLInputType,
  getNamedType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
} from 'graphql';
import { inputOf, type KnownIds } from './random-input.ts';

/** The arguments of a mutation in the form that is sent. The content may be invalid. */
export type Arguments = { input?: unknown };

type Holder = Record<string, unknown>;
/** Makes one value invalid. */
type Break = () => unknown;

/** A value that is certainly invalid for a scalar. Every JSON value is valid for JSON. */
const WRONG_KINDS: Record<string, unknown[]> = {
  ID: [{}, true, 1.5],
  String: [{}, 5, true],
  Boolean: ['yes', 1, {}],
  Int: ['1', 1.5, true, {}],
  Float: ['1', true, {}],
  DateTime: [{}, true, 5],
  JSON: [],
};
const UNKNOWN = 'noSuchThing';
/** Of long lists, only the first items are changed. */
const ITEMS = 3;

/**
 * Arguments that no client could mean. They are a possible input with one invalid part: missing, null, of the wrong
 * kind, or with a name that the schema does not know. They have at most `maxCharacters` as JSON.
 */
export function garbageOf(
  type: GraphQLInputType,
  name: string,
  ids: KnownIds,
  maxCharacters: number,
): fc.Arbitrary<Arguments> {
  const inputs = inputOf(type, name, ids)
    .map((input) => JSON.stringify({ input }))
    .filter((text) => text.length <= maxCharacters);
  return fc.tuple(inputs, fc.nat()).map(([text, draw]) => {
    const sent = JSON.parse(text) as Arguments & Holder;
    const breaks = breaksOf(type, sent, 'input', true);
    breaks[draw % breaks.length]?.();
    return sent;
  });
}

/** All ways to make a place and the values inside it invalid. */
function breaksOf(type: GraphQLInputType, holder: Holder, key: string, isRequired: boolean): Break[] {
  const value = holder[key];
  if (isNonNullType(type)) {
    const missing = isRequired ? [() => Reflect.deleteProperty(holder, key)] : [];
    return [...missing, put(holder, key, null), ...breaksOf(type.ofType, holder, key, false)];
  }
  if (value === null || value === undefined) return [];
  const wrong = wrongKindsOf(type).map((other) => put(holder, key, other));
  return [...wrong, ...breaksInside(type, value)];
}

function breaksInside(type: GraphQLInputType, value: unknown): Break[] {
  if (isListType(type) && Array.isArray(value)) {
    const items = value as unknown[] & Holder;
    const keys = Object.keys(items).slice(0, ITEMS);
    return keys.flatMap((key) => breaksOf(type.ofType, items, key, false));
  }
  if (!isInputObjectType(type)) return [];
  const fields = value as Holder;
  const known = Object.values(type.getFields()).filter(({ name }) => name in fields);
  return [
    put(fields, UNKNOWN, 1),
    ...known.flatMap((field) => breaksOf(field.type, fields, field.name, isRequiredInputField(field))),
  ];
}

/**
 * GraphQL accepts a single value as a list of one. So a value that is invalid for the items is invalid for the list.
 */
function wrongKindsOf(type: GraphQLInputType): unknown[] {
  const named = getNamedType(type);
  if (isInputObjectType(named)) return ['text', 7, true];
  if (isEnumType(named)) return [UNKNOWN, 3, {}];
  return WRONG_KINDS[named.name] ?? [{}];
}

function put(holder: Holder, key: string, value: unknown): Break {
  return () => {
    holder[key] = value;
  };
}

/** Arguments without variables, written into the document. */
export function asLiterals(sent: Arguments): string {
  return 'input' in sent ? `(input: ${literalOf(sent.input)})` : '';
}

function literalOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literalOf).join(' ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, item]) => `${name}: ${literalOf(item)}`);
  return `{${fields.join(' ')}}`;
}
