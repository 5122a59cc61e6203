import { isAway, isAwayCode } from './store/failures.ts';

/** Prisma's own codes for a database that is not reached, refuses the login, has no connection left, or hangs up. */
const PRISMA_AWAY_CODES = /^(P10(00|01|02|03|08|10|11|17)|P20(24|37))$/;

/** Errors stand inside one another: a resolver's around Prisma's around the driver's. */
const MAX_DEPTH = 8;

/**
 * Whether something failed only because the database was away, whoever asked it and however deep that stands in the
 * error: the same request will do when it is back.
 */
export function isUnavailable(error: unknown): boolean {
  return isAnyAway([error], 0);
}

function isAnyAway(errors: readonly unknown[], depth: number): boolean {
  return (
    depth < MAX_DEPTH && errors.some((error) => isThisAway(error) || isAnyAway(causesOf(error), depth + 1))
  );
}

function isThisAway(error: unknown): boolean {
  if (isAway(error)) return true;
  const { code, originalCode } = fieldsOf(error);
  if (typeof code === 'string' && PRISMA_AWAY_CODES.test(code)) return true;
  return typeof originalCode === 'string' && isAwayCode(originalCode);
}

function causesOf(error: unknown): unknown[] {
  const { cause, errors, originalError, meta } = fieldsOf(error);
  const { driverAdapterError } = fieldsOf(meta);
  const several = Array.isArray(errors) ? (errors as unknown[]) : [];
  return [cause, originalError, driverAdapterError, ...several].filter((each) => typeof each === 'object');
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
