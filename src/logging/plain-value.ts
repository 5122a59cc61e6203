import { isSecretName, MASK, maskText } from './masking.ts';

/** What JSON can hold. */
export type PlainValue = string | number | boolean | null | PlainValue[] | { [key: string]: PlainValue };

const MAX_DEPTH = 6;
const MAX_TEXT = 8000;
const MAX_ITEMS = 100;

/**
 * Turns any value into a JSON value and never throws: it handles cycles, BigInt, failing getters and proxies. It
 * masks credentials by name and keeps stack and cause of errors. It limits depth, length and width, so one bad field
 * can neither stop its caller nor fill a disk.
 */
export function toPlainValue(value: unknown): PlainValue {
  return convert(value, 0, new Set());
}

function convert(value: unknown, depth: number, parents: Set<object>): PlainValue {
  switch (typeof value) {
    case 'string':
      return plainText(value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
    case 'symbol':
      return String(value);
    case 'undefined':
      return null;
    case 'function':
      return '[function]';
    case 'object':
      return value === null ? null : convertObject(value, depth, parents);
  }
}

function convertObject(value: object, depth: number, parents: Set<object>): PlainValue {
  if (parents.has(value)) return '[circular]';
  if (depth >= MAX_DEPTH) return '[too deep]';
  parents.add(value);
  try {
    if (value instanceof Error) return convertError(value, depth, parents);
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
    if (value instanceof URL) return plainText(value.href);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (value instanceof Map) return convertEntries(mapEntries(value), depth, parents);
    if (Array.isArray(value) || value instanceof Set) return convertItems([...value], depth, parents);
    return convertEntries(Object.entries(value), depth, parents);
  } catch {
    // A getter, an iterator or a proxy of the value threw.
    return '[unreadable]';
  } finally {
    // Only an ancestor is a cycle; the same object twice side by side is fine.
    parents.delete(value);
  }
}

function convertItems(items: readonly unknown[], depth: number, parents: Set<object>): PlainValue[] {
  const plain = items.slice(0, MAX_ITEMS).map((item) => convert(item, depth + 1, parents));
  if (items.length > MAX_ITEMS) plain.push(`[${items.length - MAX_ITEMS} more]`);
  return plain;
}

function convertEntries(
  entries: readonly (readonly [string, unknown])[],
  depth: number,
  parents: Set<object>,
): Record<string, PlainValue> {
  const plain: Record<string, PlainValue> = {};
  for (const [key, value] of entries.slice(0, MAX_ITEMS)) {
    if (value === undefined) continue;
    const shown = isSecretName(key) && value !== null ? MASK : convert(value, depth + 1, parents);
    putValue(plain, key, shown);
  }
  if (entries.length > MAX_ITEMS) plain['…'] = `[${entries.length - MAX_ITEMS} more]`;
  return plain;
}

/** Adds a field under any name: a plain assignment to __proto__ would change the object instead of filling it. */
export function putValue(object: Record<string, PlainValue>, key: string, value: PlainValue): void {
  if (key !== '__proto__') object[key] = value;
  else Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

function convertError(error: Error, depth: number, parents: Set<object>): PlainValue {
  const { name, message, stack, cause } = error;
  const own = Object.entries(error).filter(([key]) => !['name', 'message', 'stack', 'cause'].includes(key));
  // Node throws an AggregateError when every address of a host refuses. Only its members tell the reason.
  const members = error instanceof AggregateError ? (error.errors as unknown[]) : undefined;
  return convertEntries(
    [['name', name], ['message', message], ...own, ['errors', members], ['stack', stack], ['cause', cause]],
    depth,
    parents,
  );
}

function mapEntries(map: ReadonlyMap<unknown, unknown>): [string, unknown][] {
  return [...map].map(([key, value]) => [
    typeof key === 'string' ? key : JSON.stringify(toPlainValue(key)),
    value,
  ]);
}

function plainText(text: string): string {
  // The text is masked before the final cut: a cut through a password would hide it from the mask. A first cut limits
  // the masking's work.
  const masked = maskText(text.slice(0, MAX_TEXT + 1000));
  if (masked.length <= MAX_TEXT) return masked;
  return `${masked.slice(0, MAX_TEXT)}… [cut from ${text.length} characters]`;
}
