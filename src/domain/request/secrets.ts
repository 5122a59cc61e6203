import { boundedMemo } from '../values/bounded-memo.ts';

/** What stands in the place of a secret wherever a request is shown, stored for reading, or logged. */
export const MASK = '***';

/** Names and URLs of which the answer is remembered: every call asks for those of its job. */
const KNOWN_LIMIT = 1_000;

const SECRET_HEADER_NAMES = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-callback-url',
]);
const SECRET_HEADER_PARTS = /token|secret|passw|api-?key|credential|signature|session|auth|-key$/;
const SECRET_PARAMETER = /token|secret|passw|api-?_?key|credential|signature|^sig$|^key$|^code$|auth/;

/**
 * Whether a header of this name is taken to carry a credential. A wide guess on purpose: a harmless value that is
 * masked costs a look at the job, a key that is shown costs the key.
 */
export const isSecretHeaderName = boundedMemo(KNOWN_LIMIT, (name): boolean => {
  const lower = name.toLowerCase();
  if (lower === 'idempotency-key') return false;
  return SECRET_HEADER_NAMES.has(lower) || SECRET_HEADER_PARTS.test(lower);
});

/** The headers with each secret value replaced by {@link MASK}; names are kept, so that a reader sees what was sent. */
export function maskHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  const masked = { ...headers };
  for (const name of Object.keys(masked)) if (isSecretHeaderName(name)) masked[name] = MASK;
  return masked;
}

/**
 * The URL without its password and without the values of parameters that look like credentials. Text that is no URL
 * comes back as it is: it was never sent anywhere.
 */
export const maskUrl = boundedMemo(KNOWN_LIMIT, (url): string => {
  if (!URL.canParse(url)) return url;
  if (!url.includes('{{')) return maskParts(url);
  // A URL's own spelling has escapes for the braces of templates: they sit this out.
  const templates: string[] = [];
  const masked = maskParts(
    url.replace(/\{\{.*?\}\}/g, (template) => `T${templates.push(template) - 1}PLACEHOLDER`),
  );
  return masked.replace(/T(\d+)PLACEHOLDER/g, (text, index: string) => templates[Number(index)] ?? text);
});

function maskParts(url: string): string {
  const masked = new URL(url);
  if (masked.username === '' && masked.password === '' && masked.search === '') return url;

  if (masked.password !== '') masked.password = MASK;
  // A user name without a password is how many services spell a key (https://key@host).
  else if (masked.username !== '') masked.username = MASK;
  for (const name of new Set(masked.searchParams.keys())) {
    if (SECRET_PARAMETER.test(name.toLowerCase())) masked.searchParams.set(name, MASK);
  }
  return masked.href;
}
