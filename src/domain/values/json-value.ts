import { isStorable, UNSTORABLE } from './text.ts';

/**
 * How deep JSON may nest. Whoever walks a value does so by recursion (JSON.stringify, the driver, a template), and
 * a stack that ends takes the request down without saying why.
 */
export const MAX_JSON_DEPTH = 64;

/**
 * Checks a JSON value that is to be stored.
 *
 * @returns what is wrong and what is allowed, or null
 */
export function checkJsonValue(value: unknown, maxBytes: number): string | null {
  const problem = findProblem(value, MAX_JSON_DEPTH);
  if (problem !== null) return problem;
  const bytes = Buffer.byteLength(JSON.stringify(value));
  return bytes > maxBytes ? `Has ${bytes} bytes as JSON; allowed are ${maxBytes}.` : null;
}

/** Whether a value has more levels of objects and lists than this. Looks no further, so that it cannot run out of stack. */
export function nestsDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((item) => nestsDeeperThan(levels - 1, item));
}

function findProblem(value: unknown, levelsLeft: number): string | null {
  if (typeof value === 'string') return isStorable(value) ? null : UNSTORABLE;
  if (typeof value === 'number') return Number.isFinite(value) ? null : 'Holds a number that is not finite.';
  if (typeof value !== 'object' || value === null) return null;
  if (levelsLeft === 0) return `Nests deeper than ${MAX_JSON_DEPTH} levels.`;
  for (const [name, item] of Object.entries(value)) {
    if (!isStorable(name)) return UNSTORABLE;
    const problem = findProblem(item, levelsLeft - 1);
    if (problem !== null) return problem;
  }
  return null;
}

/** Whether a JSON value is an object and not an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
