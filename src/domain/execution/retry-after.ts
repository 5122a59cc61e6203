/**
 * The longest Retry-After that is read. Real ones are far shorter; longer ones are noise that need not be parsed.
 */
const MAX_HEADER_LENGTH = 64;

const DAY_NAME = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/;
const ASCTIME = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;

/**
 * How long a Retry-After header asks to wait, in milliseconds from `now`; 0 where its date has passed.
 *
 * Both forms of RFC 9110 section 10.2.3 are read: seconds, and an HTTP-date in any of its three spellings.
 *
 * @returns null where there is no header or it is neither form. May be far more than any timer takes: cap it.
 */
export function retryAfterMs(header: string | null, now: Date): number | null {
  if (header === null || header.length > MAX_HEADER_LENGTH) return null;
  const text = header.trim();
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, Number.MAX_SAFE_INTEGER);

  if (!DAY_NAME.test(text)) return null;
  // The asctime spelling bears no zone, and Date.parse would take it for local time.
  const at = Date.parse(ASCTIME.test(text) ? `${text} GMT` : text);
  return Number.isNaN(at) ? null : Math.max(0, at - now.getTime());
}
