/**
 * SQLSTATEs of a server that is away, cannot write, or ends sessions: connection exceptions, lack of resources (a full
 * disk, too many connections), operator intervention, system errors, a refused login, a database that is gone, a
 * standby that only reads, a transaction that stood still too long.
 */
const AWAY_STATES = /^(08...|53...|57P..|58...|28...|3D000|25006|25P03)$/;

/** Codes of the system (ECONNREFUSED and others, not Node's own ERR_ of wrong arguments) and of certificates. */
const AWAY_CODES = /^(E(?!RR_)|ERR_(SSL|TLS|SOCKET|STREAM)|CERT_|SELF_SIGNED|UNABLE_TO_|DEPTH_ZERO)/;

/** What pg and its pool say, without a code, of connections that broke, were not made or fell silent. */
const AWAY_MESSAGES =
  /^(Connection terminated|timeout ex|Query read timeout|Client (has encountered|was closed)|Cannot use a pool|The server does not support SSL|There was an error establishing)/;

/** Data that the database does not accept, whoever sends it and however often: cardinality, data, constraints. */
const REFUSED_STATES = /^2[123]...$/;

/** What the database itself says of a statement. */
const SQL_STATE = /^[0-9A-Z]{5}$/;

/** Ended by the server, which allows a statement only so much time. */
const TOO_SLOW_STATE = '57014';

/** Whether a statement failed because the database is away or cannot write: the same will do when it is back. */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  return code === null ? AWAY_MESSAGES.test(error.message) : isAwayCode(code);
}

/** The same by an error's code alone. */
export function isAwayCode(code: string): boolean {
  return AWAY_STATES.test(code) || AWAY_CODES.test(code);
}

/** Whether a statement that failed may have been carried out all the same, or may be yet: nobody has said that it was not. */
export function mayBeCarriedOut(error: unknown): boolean {
  return isAway(error) || !SQL_STATE.test(codeOf(error) ?? '');
}

/** Whether a statement failed for the data in it, which no second try will cure. */
export function isRefused(error: unknown): boolean {
  const code = codeOf(error);
  return code !== null && REFUSED_STATES.test(code);
}

/** Whether a statement failed because it took longer than it may. */
export function isTooSlow(error: unknown): boolean {
  const code = codeOf(error);
  return code !== null && isTooSlowCode(code);
}

/** Whether that is what a code of the database says. */
export function isTooSlowCode(code: string): boolean {
  return code === TOO_SLOW_STATE;
}

/** What a read answers; null where it took longer than a statement may, because it asks for too much. */
export async function nullIfTooSlow<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (isTooSlow(error)) return null;
    throw error;
  }
}

function codeOf(error: unknown): string | null {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  return typeof code === 'string' ? code : null;
}
