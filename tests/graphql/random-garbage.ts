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

/** The arguments of a mutation, as they are sent; what they hold need not be what it takes. */
export type Arguments = { input?: unknown };

type Holder = Record<string, unknown>;
/** Makes one thing wrong. */
type Break = () => unknown;

/** What is surely no value of a scalar. Any JSON is one of JSON. */
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
/** Of long lists the first items are enough to break. */
const ITEMS = 3;

/**
 * Arguments that no client could mean: an input that may be, of which one thing is missing, null, of the wrong kind, or
 * of a name that the schema does not know. At most `maxCharacters` long as JSON.
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

/** Everything that can be made wrong at a place, and inside of what stands there. */
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

/** A single value is taken for a list of one, so that what is wrong for its items is wrong for a list. */
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

/** Arguments as a client writes them that knows no variables. */
export function asLiterals(sent: Arguments): string {
  return 'input' in sent ? `(input: ${literalOf(sent.input)})` : '';
}

function literalOf(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(literalOf).join(' ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).map(([name, item]) => `${name}: ${literalOf(item)}`);
  return `{${fields.join(' ')}}`;
}
