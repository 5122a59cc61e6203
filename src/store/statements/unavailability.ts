import { fieldsOf, holdsOfAnyCause } from './error-causes.ts';
import { isAway, isAwayCode } from './failures.ts';

/**
 * Prisma's own codes for a database that is unreachable, refuses the login, has no connection left, or closes the
 * connection.
 */
const PRISMA_AWAY_CODES = /^(P10(00|01|02|03|08|10|11|17)|P20(24|37))$/;

/** Whether an error, or one inside it, says that the database was unreachable. The same request can succeed later. */
export function isUnavailable(error: unknown): boolean {
  return holdsOfAnyCause(error, isThisAway);
}

/**
 * A lock was not available in time, because another session works on the whole table. The same request can succeed
 * later.
 */
const LOCKED_STATE = '55P03';

function isThisAway(error: unknown): boolean {
  if (isAway(error)) return true;
  const { code, originalCode } = fieldsOf(error);
  if (code === LOCKED_STATE || originalCode === LOCKED_STATE) return true;
  if (typeof code === 'string' && PRISMA_AWAY_CODES.test(code)) return true;
  return typeof originalCode === 'string' && isAwayCode(originalCode);
}
