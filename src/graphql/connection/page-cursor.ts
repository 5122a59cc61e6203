import type { Place } from '../../domain/execution/page-request.ts';
import { badArgument } from '../errors.ts';
import { type Ordering, signatureOf, type SortKey } from './ordering.ts';

const VERSION = 1;
/** Four times the longest key that a row can have. */
const MAX_LENGTH = 4_096;

/**
 * Writes a place as a cursor: base64url of JSON with a version, the ordering that it belongs to, and the values.
 * A place needs no row: a cursor keeps its meaning when the row that it came from is gone.
 */
export function encodePlace(ordering: Ordering, place: Place): string {
  const values = place.map((value) => {
    if (value instanceof Date) return value.getTime();
    return typeof value === 'bigint' ? value.toString() : value;
  });
  return Buffer.from(JSON.stringify([VERSION, signatureOf(ordering), values])).toString('base64url');
}

/**
 * Reads a cursor.
 *
 * @throws GraphQLError BAD_USER_INPUT where it is none, or belongs to another ordering
 */
export function decodePlace(ordering: Ordering, cursor: string, argument: 'after' | 'before'): Place {
  const parsed = cursor.length <= MAX_LENGTH ? parse(cursor) : null;
  if (!Array.isArray(parsed) || parsed.length !== 3 || parsed[0] !== VERSION) {
    throw badArgument(argument, 'is no cursor of this connection.');
  }
  const [, signature, values] = parsed as [number, unknown, unknown];
  if (signature !== signatureOf(ordering)) {
    throw badArgument(argument, 'is a cursor of another ordering; start again from the first page.');
  }
  const place =
    Array.isArray(values) && values.length === ordering.length ? readValues(ordering, values) : null;
  if (place === null) throw badArgument(argument, 'is no cursor of this connection.');
  return place;
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return null;
  }
}

function readValues(ordering: Ordering, values: readonly unknown[]): Place | null {
  const place = ordering.map((key, index) => readValue(key, values[index]));
  return place.some((value) => value === undefined) ? null : (place as Place);
}

/** Undefined for a value that the key cannot have. */
function readValue({ type, nullable }: SortKey, value: unknown): Place[number] | undefined {
  if (value === null) return nullable ? null : undefined;
  switch (type) {
    case 'instant':
      return typeof value === 'number' && isInstant(value) ? new Date(value) : undefined;
    case 'text':
      return typeof value === 'string' && !value.includes('\0') && value.isWellFormed() ? value : undefined;
    case 'id':
      return typeof value === 'string' && /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)
        ? value
        : undefined;
    case 'position':
      return typeof value === 'string' && /^\d{1,18}$/.test(value) ? BigInt(value) : undefined;
  }
}

/** From 1970 to 9999, the years that columns hold. */
function isInstant(ms: number): boolean {
  return Number.isInteger(ms) && ms >= 0 && ms < 253_402_300_800_000;
}
