/** The text that replaces a credential in the log. */
export const MASK = '***';

/** Field and header names whose value is a credential wherever it appears. */
const SECRET_NAME =
  /^(authorization|proxy-?authorization|cookie|set-?cookie|auth|.*(password|passwd|passphrase|secret|token|api-?_?key|private-?_?key|credentials?|signature))$/i;

/**
 * `scheme://user:password@`, as in connection strings and webhook addresses. The scheme's length is bounded because
 * the text may come from outside. Without the bound, the time would grow with the square of the text's length.
 */
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s:@/?#]*):[^\s@/?#]+@/gi;
const AUTH_SCHEME = /\b(Bearer|Basic)\s+[A-Za-z0-9+/=._~-]{8,}/g;

/** Whether a field of this name holds a credential. Its value must not reach a log. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** Text with the passwords inside URLs and the credentials of Authorization values replaced. */
export function maskText(text: string): string {
  // The two tests are cheap and nearly always fail; the expressions are not.
  let masked = text;
  if (text.includes('://')) masked = masked.replace(URL_PASSWORD, `$1:${MASK}@`);
  if (text.includes('Bearer ') || text.includes('Basic ')) masked = masked.replace(AUTH_SCHEME, `$1 ${MASK}`);
  return masked;
}
