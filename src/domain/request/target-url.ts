import { boundedMemo } from '../values/bounded-memo.ts';

/** The longest URL that a job may call: what common servers and proxies still take. */
export const MAX_TARGET_URL_LENGTH = 2_048;

/** URLs of which the answer is remembered: every call asks for that of its job. */
const KNOWN_LIMIT = 1_000;

/** What is wrong with a URL, and what is allowed. Never repeats the URL, which may hold credentials. */
export type TargetUrlIssue = { message: string };

/**
 * Checks the URL of a job as a user wrote it: absolute, http or https, with a host, at most
 * {@link MAX_TARGET_URL_LENGTH} characters.
 *
 * `user:password@` is allowed and sent as basic authorization; wherever the URL is shown it is masked (`maskUrl`).
 * Which addresses may be called is not decided here: a name's address is known only when the call is made.
 *
 * @returns null where the URL is fine
 */
export const checkTargetUrl = boundedMemo(KNOWN_LIMIT, (url): TargetUrlIssue | null => {
  if (url.length === 0) return { message: 'A URL is needed.' };
  if (url.length > MAX_TARGET_URL_LENGTH) {
    return { message: `At most ${MAX_TARGET_URL_LENGTH} characters are allowed; it has ${url.length}.` };
  }
  // The URL parser drops tabs and line breaks without a word, and what is called would not be what was written.
  if (/[\s\p{Cc}]/u.test(url)) return { message: 'White space and control characters are not allowed.' };
  // The parser also takes http:host and http:/host, which nobody writes on purpose.
  if (!/^https?:\/\/[^/\\]/i.test(url))
    return { message: 'Must begin with http:// or https:// and name a host.' };
  if (!URL.canParse(url)) return { message: 'Is no valid URL: host or port cannot be read.' };
  return null;
});
