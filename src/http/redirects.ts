import type { HttpMethod } from '../domain/request/http-method.ts';

/** How many redirects one attempt follows; the next one ends it. */
export const MAX_REDIRECTS = 5;

const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);

/** The headers that another origin may see: who calls, and how an answer may look. All others may hold a secret. */
const SAFE_HEADERS: ReadonlySet<string> = new Set([
  'accept',
  'accept-encoding',
  'accept-language',
  'user-agent',
  'x-execution-id',
  'x-job-id',
  'x-attempt',
  'x-scheduled-at',
  'idempotency-key',
]);

/** One call on the wire: an attempt is one of these, and one more for each redirect. */
export type Hop = {
  method: HttpMethod;
  /** Without credentials and fragment. */
  url: URL;
  headers: Record<string, string>;
  body: string | null;
};

/**
 * The call that a redirect asks for; null where the response is no redirect that can be followed, and is then the
 * answer itself.
 *
 * Only 303 turns the method into GET. RFC 9110 lets clients do so for 301 and 302 too, and browsers do, but the usual
 * cause here is an API that moved to https, and a job's POST must not silently become a GET without its body.
 *
 * To another origin only {@link SAFE_HEADERS} go on, and no body: a redirect that would take it there is the answer.
 * Same host, http to https, on the default ports is the same origin; https to http is not.
 */
export function nextHop(hop: Hop, response: { status: number; location: string | null }): Hop | null {
  if (!REDIRECT_STATUSES.has(response.status) || response.location === null) return null;
  const url = redirectUrl(response.location, hop.url);
  if (url === null) return null;

  const becomesGet = response.status === 303 && hop.method !== 'HEAD';
  const leavesOrigin = url.origin !== hop.url.origin && !isUpgradeToHttps(hop.url, url);
  const body = becomesGet ? null : hop.body;
  if (leavesOrigin && body !== null) return null;

  const headers = Object.fromEntries(
    Object.entries(hop.headers).filter(
      ([name]) => (!leavesOrigin || SAFE_HEADERS.has(name)) && !(becomesGet && name.startsWith('content-')),
    ),
  );
  return { method: becomesGet ? 'GET' : hop.method, url, headers, body };
}

/** URL without what is not sent: credentials become a header elsewhere, and a fragment stays with the caller. */
export function withoutCredentials(url: URL): URL {
  if (url.username === '' && url.password === '' && url.hash === '') return url;
  const bare = new URL(url);
  bare.username = '';
  bare.password = '';
  bare.hash = '';
  return bare;
}

function redirectUrl(location: string, base: URL): URL | null {
  // Node hands header bytes over as Latin-1; a target that sends UTF-8 means UTF-8.
  const text = Buffer.from(location, 'latin1').toString('utf8');
  if (!URL.canParse(text, base.href)) return null;
  const url = new URL(text, base);
  return url.protocol === 'http:' || url.protocol === 'https:' ? withoutCredentials(url) : null;
}

function isUpgradeToHttps(from: URL, to: URL): boolean {
  return (
    from.hostname === to.hostname &&
    from.protocol === 'http:' &&
    to.protocol === 'https:' &&
    from.port === '' &&
    to.port === ''
  );
}
