import { fieldsOf, holdsOfAnyCause } from './error-causes.ts';
import { isAway, isAwayCode } from './failures.ts';

/** Prisma's own codes for a database that is not reached, refuses the login, has no connection left, or hangs up. */
const PRISMA_AWAY_CODES = /^(P10(00|01|02|03|08|10|11|17)|P20(24|37))$/;

/**
 * Whether something failed only because the database was away, whoever asked it and however deep that stands in the
 * error: the same request will do when it is back.
 */
export function isUnavailable(error: unknown): boolean {
  return holdsOfAnyCause(error, isThisAway);
}

/** A lock was not had in time: somebody works on the whole table, and the same request will do later. */
const LOCKED_STATE = '55P03';

function isThisAway(error: unknown): boolean {
  if (isAway(error)) return true;
  const { code, originalCode } = fieldsOf(error);
  if (code === LOCKED_STATE || originalCode === LOCKED_STATE) return true;
  if (typeof code === 'string' && PRISMA_AWAY_CODES.test(code)) return true;
  return typeof originalCode === 'string' && isAwayCode(originalCode);
}
