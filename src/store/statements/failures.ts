/**
 * SQLSTATEs of a server that is unreachable, cannot write, or ends sessions. These are connection exceptions, lack of
 * resources (a full disk, too many connections), operator intervention, system errors, a refused login, a missing
 * database, a read-only standby, and a transaction that was idle for too long.
 */
const AWAY_STATES = /^(08...|53...|57P..|58...|28...|3D000|25006|25P03)$/;

/** Codes of the system (ECONNREFUSED and others, not Node's own ERR_ of wrong arguments) and of certificates. */
const AWAY_CODES = /^(E(?!RR_)|ERR_(SSL|TLS|SOCKET|STREAM)|CERT_|SELF_SIGNED|UNABLE_TO_|DEPTH_ZERO)/;

/** The messages of pg and its pool that have no code, about connections that broke, failed or fell silent. */
const AWAY_MESSAGES =
  /^(Connection terminated|timeout ex|Query read timeout|Client (has encountered|was closed)|Cannot use a pool|The server does not support SSL|There was an error establishing)/;

/** SQLSTATEs of data that the database never accepts: cardinality, data, constraints. */
const REFUSED_STATES = /^2[123]...$/;

/** The form of a code from the database itself. */
const SQL_STATE = /^[0-9A-Z]{5}$/;

/** The server ended the statement because it took too long. */
const TOO_SLOW_STATE = '57014';

/**
 * Whether a statement failed because the database is unreachable or cannot write. The same statement can succeed
 * later.
 */
export function isAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = codeOf(error);
  return code === null ? AWAY_MESSAGES.test(error.message) : isAwayCode(code);
}

/** The same by an error's code alone. */
export function isAwayCode(code: string): boolean {
  return AWAY_STATES.test(code) || AWAY_CODES.test(code);
}

/**
 * Whether a failed statement may still have been executed or may be executed later: the database has not said that it
 * was not.
 */
export function mayBeCarriedOut(error: unknown): boolean {
  return isAway(error) || !SQL_STATE.test(codeOf(error) ?? '');
}

/** Whether a statement failed because of its data. A second try would fail again. */
export function isRefused(error: unknown): boolean {
  const code = codeOf(error);
  return code !== null && REFUSED_STATES.test(code);
}

/** Whether a statement failed because it took too long. */
export function isTooSlow(error: unknown): boolean {
  const code = codeOf(error);
  return code !== null && isTooSlowCode(code);
}

/** The same for a code of the database. */
export function isTooSlowCode(code: string): boolean {
  return code === TOO_SLOW_STATE;
}

/** The result of a read; null when it took longer than a statement may, because it asks for too much. */
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
