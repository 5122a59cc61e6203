import fc from 'fast-check';
import {
  getNamedType,
  type GraphQLInputType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isRequiredInputField,
} from 'graphql';

/** Ids of existing objects, by the name of their field. */
export type KnownIds = Readonly<Record<string, readonly string[]>>;

const WORDS = [
  'x',
  'Report',
  'billing/report',
  '@hourly',
  '*/5 * * * * *',
  'UTC',
  'Europe/Berlin',
  '2xx',
  '503',
];
/** Nothing listens there, and no name has to be resolved. */
const URLS = ['http://127.0.0.1:9/', 'https://user:pass@127.0.0.1:9/?token=abc&x={{job.id}}'];
const NASTY = [
  '',
  ' ',
  '\0',
  '\ud800',
  '\u202e',
  '***',
  '{{',
  '{{nothing}}',
  '%',
  `'; --`,
  '\\',
  '__proto__',
  'NaN',
  '🕰'.repeat(60),
  'x'.repeat(201),
  'x'.repeat(70_000),
  'ftp://127.0.0.1/',
  'http://',
  'http://[::1]:99999/',
  '0 0 0 30 2 *',
  '* * *',
  'Mars/Olympus',
];
const INTS = [0, 1, 2, 5, 100, 1_000, 60_000, -1, 1_001, 100_001, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 1.5];
const FLOATS = [0, 0.5, 1, -0, -1, 1.0000001, 1e300, Number.MAX_SAFE_INTEGER];
const INSTANTS = [
  '2025-03-01T12:01:00.000Z',
  '2025-03-01T12:01:00.001Z',
  '2031-01-01T00:00:00+05:45',
  '1970-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999Z',
  '2025-02-30T00:00:00Z',
  '10000-01-01T00:00:00Z',
  'yesterday',
];
/** Without a key every upsert is refused. */
const ALWAYS = ['key'];
/** Filters contain filters: the maximum nesting depth. */
const MAX_DEPTH = 3;
/** More than a list may contain. Fewer for objects, because each may contain lists again. */
const MANY_VALUES = 1_001;
const MANY_OBJECTS = 201;
const MALFORMED_IDS = ['', 'nonsense', 'job_', 'job_01h455vb4pex5vsknk084sn02q', 'x'.repeat(1_000), '\0'];

/**
 * Any value that a client may send for a type: mostly a plausible one, else a special case. Types are read from the
 * schema, so new types are tested automatically.
 */
export function inputOf(
  type: GraphQLInputType,
  name: string,
  ids: KnownIds,
  depth = 0,
): fc.Arbitrary<unknown> {
  if (isNonNullType(type)) return inputOf(type.ofType, name, ids, depth);
  if (isListType(type)) {
    const items = inputOf(type.ofType, name, ids, depth);
    const many = isLeafType(getNamedType(type)) ? MANY_VALUES : MANY_OBJECTS;
    return fc.oneof(
      { weight: 12, arbitrary: fc.array(items, { maxLength: 3 }) },
      { weight: 1, arbitrary: items.map((item) => Array.from({ length: 60 }, () => item)) },
      { weight: 1, arbitrary: items.map((item) => Array.from({ length: many }, () => item)) },
    );
  }
  if (isEnumType(type)) return fc.constantFrom(...type.getValues().map((value) => value.name));
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).filter(
      (field) => depth < MAX_DEPTH || !isInputObjectType(getNamedType(field.type)),
    );
    const values = fields.map((field): [string, fc.Arbitrary<unknown>] => {
      const value = inputOf(field.type, field.name, ids, depth + 1);
      const isNullable = !isNonNullType(field.type);
      return [field.name, isNullable ? fc.oneof({ weight: 9, arbitrary: value }, fc.constant(null)) : value];
    });
    const requiredKeys = fields.filter(isRequiredInputField).map((field) => field.name);
    return fewOf(values, requiredKeys);
  }
  return scalar(type.name, name, ids);
}

/** A few of the fields. With all of them at once, one invalid field would hide the effects of the others. */
function fewOf(
  values: readonly [string, fc.Arbitrary<unknown>][],
  requiredKeys: readonly string[],
): fc.Arbitrary<unknown> {
  const optional = values.map(([name]) => name).filter((name) => !requiredKeys.includes(name));
  return fc.subarray(optional, { maxLength: Math.min(3, optional.length) }).chain((chosen) => {
    const wanted = new Set([...requiredKeys, ...chosen, ...ALWAYS]);
    return fc.record(Object.fromEntries(values.filter(([name]) => wanted.has(name))));
  });
}

function scalar(type: string, name: string, ids: KnownIds): fc.Arbitrary<unknown> {
  switch (type) {
    case 'ID':
      return mostly(fc.constantFrom(...(ids[name] ?? Object.values(ids).flat())), MALFORMED_IDS);
    case 'Boolean':
      return fc.boolean();
    case 'Int':
      return fc.constantFrom(...INTS);
    case 'Float':
      return fc.constantFrom(...FLOATS);
    case 'DateTime':
      return fc.constantFrom(...INSTANTS);
    case 'JSON':
      return fc.oneof(
        fc.constantFrom<unknown>({}, { Accept: 'text/plain' }, { 'X-Token': '***' }, 'text', nested(70)),
        fc.jsonValue(),
      );
    default:
      return mostly(fc.constantFrom(...(/^(api|target)$/.test(name) ? URLS : WORDS)), NASTY);
  }
}

function mostly(usual: fc.Arbitrary<unknown>, others: readonly string[]): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 6, arbitrary: usual },
    { weight: 2, arbitrary: fc.constantFrom(...others) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary' }) },
  );
}

function nested(levels: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < levels; level += 1) value = { value };
  return value;
}
